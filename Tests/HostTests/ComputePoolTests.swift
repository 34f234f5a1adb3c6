import CHost
import Foundation
import Host
import Synchronization
import Testing

@Suite struct ComputePoolTests {
    @Test(arguments: [1, 2, 3, 8])
    func `every index is computed exactly once`(threadCount: Int) throws {
        let pool = try ComputePool(threadCount: threadCount)
        for taskCount in [0, 1, 2, 3, 7, 8, 9, 100, 1001] {
            let counts = SharedCounts(taskCount)
            for _ in 0..<20 { pool.run(taskCount) { counts.add(1, at: $0) } }
            #expect(counts.values.allSatisfy { $0 == 20 }, "\(threadCount) threads, \(taskCount) tasks")
        }
    }

    @Test func `many runs in a row lose no wake-up`() throws {
        // With and without watching, so that both the fast path and the sleeping path are taken.
        for spinMicroseconds in [0, 1, 50] {
            let pool = try ComputePool(threadCount: 4, spinMicroseconds: spinMicroseconds)
            let total = Atomic<Int>(0)
            for _ in 0..<3000 { pool.run(4) { total.add($0, ordering: .relaxed) } }
            #expect(total.load(ordering: .relaxed) == 3000 * 6)
        }
    }

    private struct Squares: ComputeTask {
        let output: SharedCounts
        func compute(_ index: Int, thread: Int) { output.add(index * index, at: index) }
    }

    @Test func `a task of its own type is shared out like a closure`() throws {
        let pool = try ComputePool(threadCount: 3)
        let output = SharedCounts(100)
        pool.run(100, Squares(output: output))
        #expect(output.values == (0..<100).map { $0 * $0 })
    }

    @Test func `a thread that is held up keeps one task, and the others take over the rest`() throws {
        let pool = try ComputePool(threadCount: 3)
        let done = Atomic<Int>(0)
        let counts = SharedCounts(90)
        let giveUp = Date.now.addingTimeInterval(30)
        pool.run(90) { index in
            // The first index of thread 0's share waits for all that another thread could compute instead.
            if index == 0 {
                while done.load(ordering: .relaxed) < 89, Date.now < giveUp { Thread.sleep(forTimeInterval: 0.001) }
            }
            counts.add(1, at: index)
            done.add(1, ordering: .relaxed)
        }
        #expect(Date.now < giveUp)
        #expect(counts.values.allSatisfy { $0 == 1 })
    }

    private final class Turns: Sendable {
        let running = Atomic<Int>(0)
        let total = Atomic<Int>(0)
        let overlaps = Atomic<Int>(0)

        func take() {
            if running.add(1, ordering: .relaxed).newValue != 1 { overlaps.add(1, ordering: .relaxed) }
            running.subtract(1, ordering: .relaxed)
        }
    }

    @Test func `callers from several threads take turns`() async throws {
        let pool = try ComputePool(threadCount: 3)
        let turns = Turns()
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<200 {
                        pool.run(1) { _ in turns.take() }
                        pool.run(6) { _ in turns.total.add(1, ordering: .relaxed) }
                    }
                }
            }
        }
        #expect(turns.overlaps.load(ordering: .relaxed) == 0)
        #expect(turns.total.load(ordering: .relaxed) == 4 * 200 * 6)
    }

    @Test func `subnormals are kept in every thread, whatever the caller had set`() throws {
        let before = chost_fp_control()
        defer { chost_set_fp_control(before) }
        #if arch(x86_64)
        let flushing = before | 0x8040
        #elseif arch(arm64)
        let flushing = before | 1 << 24
        #else
        let flushing = before
        #endif
        let pool = try ComputePool(threadCount: 4)
        let kept = Atomic<Int>(0)
        let smallest = Float.leastNormalMagnitude
        chost_set_fp_control(flushing)
        pool.run(64) { index in
            // Halving the smallest normal number gives a subnormal, which flushing would make zero.
            let half = smallest / Float(2 + index % 2)
            if half > 0, !FloatingPointControl.flushesSubnormals { kept.add(1, ordering: .relaxed) }
        }
        let after = chost_fp_control()
        chost_set_fp_control(before)
        #expect(kept.load(ordering: .relaxed) == 64)
        // Status flags aside, the caller gets its own settings back.
        #expect(after & ~0x3F == flushing & ~0x3F)
    }

    @Test func `threads are bound to their processors`() throws {
        let allowed = Machine.allowedCPUs()
        let cpus = (0..<3).map { allowed[$0 % allowed.count] }
        let pool = try ComputePool(threadCount: 3, cpus: cpus)
        let places = Mutex<[Int: [Int]]>([:])
        pool.run(3) { index in
            guard index > 0 else { return }
            let allowed = Machine.allowedCPUs()
            places.withLock { $0[index] = allowed }
        }
        #expect(places.withLock { $0 } == [1: [cpus[1]], 2: [cpus[2]]])
    }

    @Test func `threads without work sleep in the kernel`() async throws {
        let pool = try ComputePool(threadCount: 3)
        let ids = Mutex<Set<String>>([])
        pool.run(3) { _ in
            let id = currentThread()
            ids.withLock { _ = $0.insert(id) }
        }
        let threads = ids.withLock { $0 }.filter { $0 != currentThread() }
        var states: Set<String> = []
        for _ in 0..<500 {
            states = Set(threads.compactMap { Self.state(ofThread: $0) })
            if states == ["S"] { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(states == ["S"])
        withExtendedLifetime(pool) {}
    }

    /// The state letter in `/proc/ID/stat`, when the thread is one of a pool.
    private static func state(ofThread id: String) -> String? {
        guard let text = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
            text.contains("(compute-"), let end = text.lastIndex(of: ")")
        else { return nil }
        return text[text.index(end, offsetBy: 2)...].first.map(String.init)
    }

    @Test func `impossible pools are refused with a reason`() {
        #expect(throws: HostError.self) { try ComputePool(threadCount: 0) }
        #expect(throws: HostError.self) { try ComputePool(threadCount: 5000) }
        #expect(throws: HostError.self) { try ComputePool(threadCount: 2, cpus: [0]) }
        #expect(throws: HostError.self) { try ComputePool(threadCount: 2, cpus: [0, -1]) }
        #expect(throws: HostError.self) { try ComputePool(threadCount: 2, cpus: [0, 100_000]) }
    }

    @Test func `a run inside a run of the same pool stops the process`() async {
        await #expect(processExitsWith: .failure) {
            let pool = try ComputePool(threadCount: 2)
            pool.run(4) { _ in pool.run(4) { _ in } }
        }
    }
}

/// "PROCESS/task/THREAD".
private func currentThread() -> String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")) ?? ""
}
