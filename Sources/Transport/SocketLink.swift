internal import Logging
internal import NIOCore
internal import NIOTLS

/// Carries a connection's bytes over a channel of SwiftNIO: the last handler of its pipeline.
final class SocketLink: ChannelInboundHandler, ByteLink {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The link and the connection hold each other until the channel is closed.
    private var connection: Connection?
    private var context: ChannelHandlerContext?
    private var failure: RPCError?
    private var hasHeard = false

    /// What the TLS handler before this one finds out; nil on a connection that is not encrypted.
    private let tls: TLSPeer?

    init(_ connection: Connection, tls: TLSPeer? = nil) {
        self.connection = connection
        self.tls = tls
    }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin() }
    }

    func channelActive(context: ChannelHandlerContext) { begin() }

    private var hasBegun = false

    private func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        connection?.start(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if tls == nil, !hasHeard, Self.isTLS(buffer) {
            let text = "it speaks TLS and this node does not: give both credentials of one cluster, or none"
            errorCaught(context: context, error: RPCError(.unavailable, text))
            return
        }
        hasHeard = true
        connection?.receive(buffer.readableBytesSpan)
    }

    /// Whether the first bytes are those of an alert or a handshake message of TLS, which no HTTP/2 begins with.
    private static func isTLS(_ buffer: ByteBuffer) -> Bool {
        let first: UInt16? = buffer.getInteger(at: buffer.readerIndex)
        return first == 0x1503 || first == 0x1603
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let tls, let connection, case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
            if negotiated != TransportSecurity.applicationProtocol {
                errorCaught(context: context, error: RPCError(.unavailable, "it speaks TLS, but not HTTP/2"))
            } else if tls.identity == nil, !connection.isServer {
                // Only servers have guests.
                errorCaught(context: context, error: RPCError(.unauthenticated, "it did not show who it is"))
            } else {
                connection.recognise(tls.identity.map { .node($0) } ?? .guest)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { connection?.linkWritable() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The first error is the cause, those after it come of closing.
        if failure == nil {
            let failure = SocketErrors.broken(error, refusal: tls?.refusal)
            self.failure = failure
            if let connection, connection.isServer, !connection.isReady {
                // Port scanners and cut lines are no news; a node that is not let in is.
                connection.logger.log(
                    level: failure.code == .unauthenticated ? .warning : .info,
                    "turning \(connection.peer) away: \(failure.message)")
            }
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { end() }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    private func end() {
        context = nil
        let connection = connection
        self.connection = nil
        connection?.linkClosed(failure?.message ?? "the other side closed it", code: failure?.code ?? .unavailable)
    }

    // MARK: From the connection

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ bytes: [UInt8]) {
        guard let context else { return }
        context.write(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
    }

    func flush() { context?.flush() }

    func close() {
        guard let context else { return }
        context.flush()
        context.close(promise: nil)
    }
}
