/// The number of a stream: odd for those that the client opened.
public typealias HTTP2StreamID = Int32

/// What the peer did, in the order in which it did it.
public enum HTTP2Event: Hashable, Sendable {
    /// A block of header fields: a request, a response, or trailers.
    case headers(stream: HTTP2StreamID, fields: [HTTP2Header], endStream: Bool)
    /// A block that was over the limits and has been thrown away.
    case headersTooLarge(stream: HTTP2StreamID, endStream: Bool)
    /// Bytes of a body. They count against the windows until `HTTP2Session.consume`.
    case data(stream: HTTP2StreamID, bytes: [UInt8])
    /// The peer will send no more on this stream (reported when the body ended so; headers say it themselves).
    case endOfStream(stream: HTTP2StreamID)
    /// All that was submitted for this stream has been written, its end included.
    case localEndWritten(stream: HTTP2StreamID)
    /// Some of the stream's body was written; this many bytes still wait.
    case bodyWritten(stream: HTTP2StreamID, pendingByteCount: Int)
    /// The stream is over, for whatever reason.
    case closed(stream: HTTP2StreamID, code: HTTP2ErrorCode)
    /// The peer told its settings (the first time ends the handshake).
    case settings
    /// The answer to a ping.
    case pong(payload: UInt64)
    /// The peer takes no new streams; those above `lastStream` were not looked at.
    case goAway(lastStream: HTTP2StreamID, code: HTTP2ErrorCode, message: String)
}
