internal import NIOCore

/// Carries a connection's bytes over a channel of SwiftNIO: the last handler of its pipeline.
final class SocketLink: ChannelInboundHandler, ByteLink {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The link and the connection hold each other until the channel is closed.
    private var connection: Connection?
    private var context: ChannelHandlerContext?
    private var failure: String?

    init(_ connection: Connection) { self.connection = connection }

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
        connection?.receive(buffer.readableBytesSpan)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { connection?.linkWritable() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = SocketErrors.text(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { end() }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    private func end() {
        context = nil
        let connection = connection
        self.connection = nil
        connection?.linkClosed(failure ?? "the other side closed it")
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
