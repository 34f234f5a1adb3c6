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
        queue.append(unsafe Job(unowned: UnownedJob(job), executor: asUnownedSerialExecutor()))
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        unsafe UnownedSerialExecutor(ordinary: self)
    }
}

/// A job with the executor that it runs on. Safe to keep until it ran: see `StageExecutor.enqueue`.
@safe private struct Job: Sendable {
    private let unowned: UnownedJob
    private let executor: UnownedSerialExecutor

    init(unowned: UnownedJob, executor: UnownedSerialExecutor) {
        self.unowned = unowned
        unsafe self.executor = executor
    }

    func run() { unsafe unowned.runSynchronously(on: executor) }
}

/// The jobs that wait for the thread, first come, first served.
private final class JobQueue: Sendable {
    private struct State {
        var jobs: [Job] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)

    func append(_ job: Job) {
        state.withLock { $0.jobs.append(job) }
        arrived.signal()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        arrived.signal()
    }

    func runUntilClosed() {
        while true {
            arrived.wait()
            let (jobs, isClosed) = state.withLock { state in
                defer { state.jobs.removeAll(keepingCapacity: true) }
                return (state.jobs, state.isClosed)
            }
            for job in jobs { job.run() }
            if isClosed && jobs.isEmpty { return }
        }
    }
}
