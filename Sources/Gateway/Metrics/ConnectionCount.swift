import NIOCore
import Synchronization

/// Counts the connections that are open.
final class ConnectionCount: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let metrics: GatewayMetrics
    private var isCounted = false

    init(_ metrics: GatewayMetrics) { self.metrics = metrics }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { count() }
    }

    func channelActive(context: ChannelHandlerContext) {
        count()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isCounted { metrics.connectionCount.subtract(1, ordering: .relaxed) }
        isCounted = false
        context.fireChannelInactive()
    }

    private func count() {
        guard !isCounted else { return }
        isCounted = true
        metrics.connectionCount.add(1, ordering: .relaxed)
    }
}
