internal import NIOCore
internal import Synchronization

/// The connections that a listener holds: bounded, and ended together.
final class ConnectionRegistry: Sendable {
    private struct State {
        var connections: [Int: NIOLoopBound<Connection>] = [:]
        /// Those whose handshake is not over, and guests, in the order in which they came.
        var unsettled: [Int] = []
        var lastNumber = 0
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Keeps a connection until it is down; false when there are too many or the door is closed.
    ///
    /// On the connection's event loop.
    func add(_ connection: Connection) -> Bool {
        let bound = NIOLoopBound(connection, eventLoop: connection.loop)
        let (number, evicted): (Int?, NIOLoopBound<Connection>?) = state.withLock { state in
            guard !state.isClosed else { return (nil, nil) }
            var evicted: NIOLoopBound<Connection>?
            if state.connections.count >= limit {
                guard !state.unsettled.isEmpty else { return (nil, nil) }
                evicted = state.connections.removeValue(forKey: state.unsettled.removeFirst())
            }
            state.lastNumber += 1
            state.connections[state.lastNumber] = bound
            state.unsettled.append(state.lastNumber)
            return (state.lastNumber, evicted)
        }
        if let evicted {
            evicted.eventLoop.execute {
                evicted.value.close(RPCError(.resourceExhausted, "made room for a newer connection"))
            }
        }
        guard let number else { return false }
        connection.onReady = { [self, unowned connection] in
            guard connection.caller != .guest else { return }
            state.withLock { state in state.unsettled.removeAll { $0 == number } }
        }
        connection.onClose { [self] in remove(number) }
        return true
    }

    private func remove(_ number: Int) {
        let waiters: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.connections[number] = nil
            state.unsettled.removeAll { $0 == number }
            guard state.connections.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func waitUntilEmpty() async {
        await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
            let isEmpty = state.withLock { state in
                if !state.connections.isEmpty { state.waiters.append(waiter) }
                return state.connections.isEmpty
            }
            if isEmpty { waiter.resume() }
        }
    }

    private func forEach(_ action: @escaping @Sendable (Connection) -> Void) {
        for bound in state.withLock({ Array($0.connections.values) }) {
            bound.eventLoop.execute { action(bound.value) }
        }
    }

    /// Takes no new connections and calls, lets calls end for at most `grace`, then ends what is left.
    func shutdown(grace: Duration, reason: RPCError) async {
        state.withLock { $0.isClosed = true }
        forEach { $0.drain(reason) }
        let timer = Task {
            try await Task.sleep(for: grace)
            forEach { $0.leave(reason) }
        }
        await waitUntilEmpty()
        timer.cancel()
    }
}
