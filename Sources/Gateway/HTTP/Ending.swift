import Synchronization

/// Something that ends once, and those who want to know: a connection, or the time that a server gives to running answers.
final class Ending: Sendable {
    private struct State {
        var isReached = false
        var lastKey = 0
        var observers: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Calls `observer` once at the end, at once if that has been.
    ///
    /// - Returns: What `ignore` takes, to be called when nobody cares any more.
    func whenReached(_ observer: @escaping @Sendable () -> Void) -> Int {
        let key: Int? = state.withLock { state in
            guard !state.isReached else { return nil }
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

    func reach() {
        let observers = state.withLock { state in
            state.isReached = true
            defer { state.observers.removeAll() }
            return Array(state.observers.values)
        }
        for observer in observers { observer() }
    }
}
