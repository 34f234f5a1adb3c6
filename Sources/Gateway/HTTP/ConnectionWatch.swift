import NIOCore

/// Tells the requests of a connection when its client closes it.
///
/// A client that closes only its sending side counts as gone, as it does for nginx and Go's server: the two cannot be
/// told apart before something is written.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    let connection = Ending()

    func channelInactive(context: ChannelHandlerContext) {
        connection.reach()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { connection.reach() }
        context.fireUserInboundEventTriggered(event)
    }

    /// The connection behind a channel; nil when it has no watch (in tests without a network).
    static func connection(of channel: any Channel) async -> Ending? {
        try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: ConnectionWatch.self).connection
        }.get()
    }
}
