import CHost

/// Bound threads that share out one computation at a time, outside Swift's cooperative pool.
///
/// Fork, spin briefly, then park, join: a run costs a few microseconds when the threads still watch, a system call when
/// they sleep, and nothing between runs. Every task runs with IEEE arithmetic (subnormals kept, round to nearest even).
/// Which thread computes an index depends on the number of threads, so a task's result must depend on its index alone.
///
/// `@unchecked Sendable`: the C pool behind `handle` lets callers from several threads take turns, and is freed only in
/// `deinit`, when no caller can be left.
@safe public final class ComputePool: @unchecked Sendable {
    /// Threads that work in a run, the caller among them.
    public let threadCount: Int
    /// The processors that the threads are bound to; entry 0 is meant for the caller (see `bindCaller`).
    public let cpus: [Int]?

    private let handle: OpaquePointer

    /// Starts `threadCount - 1` threads; the caller of `run` is the first.
    ///
    /// - Parameters:
    ///   - threadCount: 1 to 4096.
    ///   - cpus: one processor per thread, or nil to leave the threads to the kernel's scheduler.
    ///   - spinMicroseconds: how long a thread without work watches for more before it sleeps; 0 sleeps at once. Nil
    ///     chooses 50, or 0 when there are fewer processors than threads, where watching would only steal time.
    /// - Throws: `HostError` when the counts do not fit or a thread cannot be started or bound.
    public init(threadCount: Int, cpus: [Int]? = nil, spinMicroseconds: Int? = nil) throws(HostError) {
        guard (1...4096).contains(threadCount) else {
            throw HostError(code: .outOfRange, message: "a compute pool has 1 to 4096 threads, not \(threadCount)")
        }
        var numbers: [Int32] = []
        if let cpus {
            numbers = cpus.compactMap { (0..<(1 << 17)).contains($0) ? Int32($0) : nil }
            guard numbers.count == threadCount, cpus.count == threadCount else {
                throw HostError(
                    code: .outOfRange,
                    message: "a pool of \(threadCount) threads needs as many processor numbers, not \(cpus)")
            }
        }
        let places = cpus.map { Set($0).count } ?? Machine.allowedCPUs().count
        let spin = max(0, min(spinMicroseconds ?? (places < threadCount ? 0 : 50), 1_000_000))
        var error: Int32 = 0
        // The C side copies the processor numbers before it returns.
        let created = unsafe numbers.withUnsafeBufferPointer { list in
            unsafe chost_pool_create(
                UInt32(threadCount), cpus == nil ? nil : list.baseAddress, UInt64(spin) * 1000, &error)
        }
        guard let created = unsafe created else {
            throw HostError(
                code: .system,
                message: "cannot start \(threadCount) compute threads\(cpus.map { " on processors \($0)" } ?? ""): "
                    + "\(HostError.reason(error)); check --threads and the processors this process may use")
        }
        unsafe handle = created
        self.threadCount = threadCount
        self.cpus = cpus
    }

    deinit {
        unsafe chost_pool_destroy(handle)
    }

    /// Calls `body(i)` exactly once for each `i` in `0..<taskCount`, on all threads, and returns when all are done.
    ///
    /// Each thread owns a contiguous piece of the indices; one that is done helps the others. The body must not call `run` of the same
    /// pool. What it writes must not overlap between indices. A run allocates a few words for the closure; where even
    /// that is too much, use a `ComputeTask`.
    public func run(_ taskCount: Int, _ body: (Int) -> Void) {
        withoutActuallyEscaping(body) { run(taskCount, ClosureTask(body: $0)) }
    }

    /// Calls `task.compute(i, thread:)` exactly once for each `i` in `0..<taskCount`; allocates nothing.
    ///
    /// Otherwise as `run(_:_:)` with a closure.
    public func run<Work: ComputeTask>(_ taskCount: Int, _ task: Work) {
        precondition(taskCount >= 0, "a run has no negative number of tasks")
        let status = unsafe withUnsafePointer(to: task) { state in
            // Task and call live in this frame, and `chost_pool_run` returns only when no thread uses them any more.
            var call = unsafe Call(type: Work.self, state: UnsafeRawPointer(state))
            return unsafe withUnsafeMutablePointer(to: &call) { context in
                unsafe chost_pool_run(
                    handle, taskCount,
                    { context, index, thread in
                        // `context` is the call above, only read here.
                        let call = unsafe context.unsafelyUnwrapped.assumingMemoryBound(to: Call.self)
                        unsafe call.pointee.type.compute(index, thread: Int(thread), of: call.pointee.state)
                    }, context)
            }
        }
        precondition(status == 0, "ComputePool.run was called from inside a task, or with 2^32 tasks or more")
    }

    /// Binds the calling thread to this pool's first processor, for a thread that exists to call `run`.
    ///
    /// - Throws: `HostError` when the processor is not allowed. Does nothing for a pool without processor numbers.
    public func bindCaller() throws(HostError) {
        guard let cpu = cpus?.first else { return }
        let error = chost_bind_current_thread(Int32(cpu))
        guard error == 0 else {
            throw HostError(
                code: .system, message: "cannot bind a thread to processor \(cpu): \(HostError.reason(error))")
        }
    }

    /// A task with its type erased, in two words, so that one C function serves every type.
    @safe private struct Call {
        let type: any ComputeTask.Type
        let state: UnsafeRawPointer
    }

    private struct ClosureTask: ComputeTask {
        let body: (Int) -> Void

        func compute(_ index: Int, thread: Int) { body(index) }
    }
}
