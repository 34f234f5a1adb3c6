import NIOCore
import Synchronization

/// What a request knows of the connection that it came over: whether the client is still there.
final class ClientConnection: Sendable {
    private struct State {
        var isClosed = false
        var lastKey = 0
        var observers: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Calls `observer` once when the client has gone, at once if it has gone already.
    ///
    /// - Returns: What `ignore` takes, to be called when nobody cares any more.
    func whenClosed(_ observer: @escaping @Sendable () -> Void) -> Int {
        let key: Int? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.lastKey += 1
            state.observers[state.lastKey] = observer
            return state.lastKey
        }
        guard let key else {
            observer()
            return 0
        }
        return key
    }

    func ignore(_ key: Int) {
        state.withLock { _ = $0.observers.removeValue(forKey: key) }
    }

    fileprivate func close() {
        let observers = state.withLock { state in
            state.isClosed = true
            defer { state.observers.removeAll() }
            return Array(state.observers.values)
        }
        for observer in observers { observer() }
    }
}

/// Tells the requests of a connection when its client closes it.
///
/// A client that closes only its sending side counts as gone, as it does for nginx and Go's server: the two cannot be
/// told apart before something is written.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    let connection = ClientConnection()

    func channelInactive(context: ChannelHandlerContext) {
        connection.close()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { connection.close() }
        context.fireUserInboundEventTriggered(event)
    }

    /// The connection behind a channel; nil when it has no watch (in tests without a network).
    static func connection(of channel: any Channel) async -> ClientConnection? {
        try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: ConnectionWatch.self).connection
        }.get()
    }
}
