/// What a node allows its peers, and how long it waits for them. Every number bounds memory, work or time.
public struct TransportLimits: Hashable, Sendable {
    /// The largest message of an ordinary method, 4 MiB as in other gRPC implementations.
    public var maxMessageByteCount = 4 << 20
    /// The largest message of a bulk method: a prompt chunk's activations.
    public var maxBulkMessageByteCount = 256 << 20
    /// Methods whose messages are tensors: larger messages and windows, and a content type of their own.
    public var bulkMethods: Set<RPCMethod> = [Services.forward, Services.readWeights]
    /// Bytes of one call that the peer may send before they are taken.
    public var callWindowByteCount = 1 << 20
    /// Bytes of all calls of a connection that the peer may send before they are taken.
    public var connectionWindowByteCount = 4 << 20
    /// Both windows, once a bulk call runs on a connection.
    public var bulkWindowByteCount = 32 << 20
    /// Bytes of messages, complete or not, that one connection may hold for readers; more ends the call that brings it.
    public var maxBufferedByteCount = 512 << 20
    /// The largest DATA frame.
    public var maxFrameByteCount = 1 << 20
    /// `send` returns when at most this much of the call's messages waits for the peer.
    public var outboundBufferByteCount = 1 << 20
    /// Calls that a peer may have open on one connection.
    public var maxCallsPerConnection = 1024
    /// Connections that a listener holds at once. One more takes the place of the oldest that has not shown yet who it
    /// is, and is closed when there is none.
    public var maxConnections = 1024
    /// Header fields of a call, and their bytes (with 32 for each).
    public var maxHeaderCount = 100
    public var maxHeaderListByteCount = 16 << 10
    /// From the connection's first moment until the peer's settings are there.
    public var handshakeTimeout = Duration.seconds(10)
    /// A peer that sent nothing for this long is asked for a sign of life.
    public var keepaliveInterval = Duration.seconds(10)
    /// A peer that was asked and sends nothing for this long is taken for dead.
    public var keepaliveTimeout = Duration.seconds(10)
    /// A listener closes a connection that made no call at all within this time.
    public var firstCallTimeout = Duration.seconds(300)

    /// A connection without a certificate, where others have one, ends after this time in any case.
    public var guestTimeout = Duration.seconds(20)
    /// The largest message of those who have no certificate yet: a join token and a certificate request.
    public var maxGuestMessageByteCount = 16 << 10

    public init() {}

    /// The largest message of a method, in bytes.
    public func maxMessageByteCount(of method: RPCMethod) -> Int {
        if method == Services.enrol { return maxGuestMessageByteCount }
        return bulkMethods.contains(method) ? maxBulkMessageByteCount : maxMessageByteCount
    }
}
