import Synchronization

/// Holds one task at a time; setting another cancels it.
final class TaskSlot: Sendable {
    private let task = Mutex<Task<Void, Never>?>(nil)

    deinit { set(nil) }

    func set(_ new: Task<Void, Never>?) {
        let old = task.withLock { current in
            defer { current = new }
            return current
        }
        old?.cancel()
    }
}
