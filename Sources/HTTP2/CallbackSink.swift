/// Where nghttp2's callbacks leave what they saw, and where they find what to send.
///
/// Callbacks must not call nghttp2 again, so they only queue; `HTTP2Session` acts on it after nghttp2 has returned.
final class CallbackSink {
    let limits: HTTP2Limits
    let isServer: Bool
    var events: [HTTP2Event] = []
    var bodies: [HTTP2StreamID: OutboundBody] = [:]
    /// Streams whose body is written and whose trailers must now be submitted.
    var trailersDue: [HTTP2StreamID] = []
    /// Bytes ready for the peer.
    var output: [UInt8] = []
    /// How far `output` may grow before writing is paused.
    var outputLimitByteCount = 0
    var isPaused = false
    /// Why the session must end, when a callback found it.
    var failure: HTTP2Error?
    /// The library's last complaint, for messages.
    var complaint: String?
    var resets: FrameBudget
    var controlFrames: FrameBudget

    private var blockFields: [HTTP2Header] = []
    private var blockByteCount = 0
    private var blockIsTooLarge = false

    init(limits: HTTP2Limits, isServer: Bool) {
        self.limits = limits
        self.isServer = isServer
        resets = FrameBudget(burst: limits.resetBurst, perSecond: limits.resetsPerSecond)
        controlFrames = FrameBudget(burst: limits.controlFrameBurst, perSecond: limits.controlFramesPerSecond)
    }

    func beginHeaders() {
        blockFields.removeAll(keepingCapacity: true)
        blockByteCount = 0
        blockIsTooLarge = false
    }

    /// Adds a field to the block unless the block is over its limits.
    func addHeader(nameByteCount: Int, valueByteCount: Int, make: () -> HTTP2Header) {
        blockByteCount += nameByteCount + valueByteCount + 32
        guard !blockIsTooLarge else { return }
        if blockByteCount > limits.maxHeaderListByteCount || blockFields.count >= limits.maxHeaderCount {
            blockIsTooLarge = true
            blockFields.removeAll(keepingCapacity: true)
        } else {
            blockFields.append(make())
        }
    }

    func endHeaders(stream: HTTP2StreamID, endStream: Bool) {
        if blockIsTooLarge {
            events.append(.headersTooLarge(stream: stream, endStream: endStream))
        } else {
            events.append(.headers(stream: stream, fields: blockFields, endStream: endStream))
        }
        beginHeaders()
    }

    /// Counts a reset by the peer; one too many ends the session.
    ///
    /// A server that has answered resets what is left of a request without error (RFC 9113, section 8.1): for a client
    /// that is no fault.
    func countReset(code: UInt32) {
        if code == 0, !isServer { return }
        guard !resets.take(), failure == nil else { return }
        failure = HTTP2Error(
            .flood,
            "the peer reset more than \(limits.resetBurst) streams in a row (\(limits.resetsPerSecond)/s allowed)")
    }

    /// Counts a frame that carries nothing; one too many ends the session.
    func countControlFrame() {
        guard !controlFrames.take(), failure == nil else { return }
        failure = HTTP2Error(
            .flood,
            "the peer sent more than \(limits.controlFrameBurst) control frames in a row "
                + "(\(limits.controlFramesPerSecond)/s allowed)")
    }

    /// How much of a stream's body can be sent now, and what nghttp2 is to be told.
    enum Supply {
        case nothingNow
        case bytes(Int, isLast: Bool, trailersFollow: Bool)
    }

    func supply(stream: HTTP2StreamID, atMost length: Int) -> Supply {
        guard var body = bodies[stream] else { return .bytes(0, isLast: true, trailersFollow: false) }
        defer { bodies[stream] = body }
        if body.byteCount == 0, body.ending == .open {
            body.isDeferred = true
            return .nothingNow
        }
        let count = min(length, body.byteCount)
        let isLast = count == body.byteCount && body.ending != .open
        var trailersFollow = false
        if isLast, case .trailers = body.ending {
            trailersFollow = true
            trailersDue.append(stream)
        }
        body.isExhausted = isLast
        return .bytes(count, isLast: isLast, trailersFollow: trailersFollow)
    }

    /// Moves `count` bytes of the stream's body to the output.
    func write(stream: HTTP2StreamID, count: Int) {
        guard count > 0, bodies[stream] != nil else { return }
        bodies[stream]?.move(count, to: &output)
        events.append(.bodyWritten(stream: stream, pendingByteCount: bodies[stream]?.byteCount ?? 0))
    }
}
