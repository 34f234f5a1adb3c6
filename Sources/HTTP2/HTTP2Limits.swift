/// What a session allows its peer. Every number bounds memory or work that the peer can cause.
public struct HTTP2Limits: Hashable, Sendable {
    /// Streams that the peer may have open at once.
    public var maxConcurrentStreams = 256
    /// Bytes of one stream that the peer may send before they are consumed.
    public var streamWindowByteCount = 1 << 20
    /// Bytes of all streams together that the peer may send before they are consumed.
    public var connectionWindowByteCount = 4 << 20
    /// The largest DATA frame that we take (and, if the peer allows as much, send), 16 KiB to 16 MiB.
    public var maxFrameByteCount = 1 << 20
    /// Header fields in one block.
    public var maxHeaderCount = 100
    /// Names, values and 32 bytes for each field of one block (RFC 9113, section 6.5.2).
    public var maxHeaderListByteCount = 16 << 10
    /// Acknowledgements of SETTINGS and PING that may wait for a peer that does not read.
    public var maxQueuedAcknowledgements = 100
    /// Frames of all kinds, DATA apart, that may wait for a peer that does not read.
    public var maxQueuedFrames = 4096
    /// Streams that the peer may reset in one go ("rapid reset"), and then per second.
    public var resetBurst = 1000
    public var resetsPerSecond = 500
    /// SETTINGS, PING, PRIORITY and empty DATA frames that the peer may send in one go, and then per second.
    public var controlFrameBurst = 2000
    public var controlFramesPerSecond = 200

    public init() {}
}
