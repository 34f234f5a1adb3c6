import Dispatch
import Foundation
import Synchronization

/// Runs the jobs of one actor on a thread of its own, so that computing never occupies Swift's cooperative pool.
///
/// The thread ends when the executor is released and its queue is empty.
final class StageExecutor: SerialExecutor {
    private let queue: JobQueue

    init(name: String) {
        let queue = JobQueue()
        self.queue = queue
        let thread = Thread { queue.runUntilClosed() }
        thread.name = name
        // Attention and sampling keep nothing large on the stack; what Swift and C need fits easily.
        thread.stackSize = 4 << 20
        thread.start()
    }

    deinit { queue.close() }

    func enqueue(_ job: consuming ExecutorJob) {
        // The job keeps the actor alive and the actor keeps its executor alive until the job has run.
        unsafe queue.append(UnownedJob(job), for: asUnownedSerialExecutor())
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        unsafe UnownedSerialExecutor(ordinary: self)
    }
}

/// The jobs that wait for the thread, first come, first served.
private final class JobQueue: Sendable {
    private struct Entry {
        let job: UnownedJob
        let executor: UnownedSerialExecutor
    }

    private struct State {
        var entries: [Entry] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)

    func append(_ job: UnownedJob, for executor: UnownedSerialExecutor) {
        state.withLock { unsafe $0.entries.append(Entry(job: job, executor: executor)) }
        arrived.signal()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        arrived.signal()
    }

    func runUntilClosed() {
        while true {
            arrived.wait()
            let (entries, isClosed) = state.withLock { state in
                defer { unsafe state.entries.removeAll(keepingCapacity: true) }
                return (state.entries, state.isClosed)
            }
            for entry in entries {
                unsafe entry.job.runSynchronously(on: entry.executor)
            }
            if isClosed && entries.isEmpty { return }
        }
    }
}
