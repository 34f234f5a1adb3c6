import Synchronization

/// When a stream last wrote, and whether it waits for its client.
final class WritePace: Sendable {
    private struct State {
        var last: ContinuousClock.Instant
        var isWriting = false
    }

    private let state = Mutex(State(last: .now))

    func begin() {
        state.withLock { state in
            state.last = .now
            state.isWriting = true
        }
    }

    func end() {
        state.withLock { state in
            state.last = .now
            state.isWriting = false
        }
    }

    /// How long nothing has been written.
    var silence: Duration { state.withLock { .now - $0.last } }

    /// How long the client has taken nothing of what is being written; nil when nothing waits.
    var stall: Duration? { state.withLock { $0.isWriting ? .now - $0.last : nil } }
}
