import CBench
import Host
import Kernels

/// Measures a machine's limits with all threads of a pool.
///
/// Reading goes over memory in huge pages with several access patterns; multiplying stays in registers, with several
/// interleavings. The fastest of all rounds counts, since a limit shall be one.
struct LimitProbe {
    /// Much more than caches hold.
    static let largeByteCount = 2 << 30
    /// Rounds of each pattern and of each interleaving. Many short ones: a busy neighbour spoils some of them only.
    private static let roundCount = 8
    /// What a round takes, about.
    private static let roundSeconds = 0.004
    /// Bytes that a round reads of a large buffer.
    private static let windowByteCount = 256 << 20

    let pool: ComputePool
    /// Bytes to read over for the bandwidth of main memory, if that is at most a quarter of the memory that is free.
    var largeByteCount = Self.largeByteCount

    /// Everything, for the instruction set whose kernels are in use.
    ///
    /// - Parameter repeatedByteCount: what is read again and again in the measurement that the limits are for. Fewer
    ///   bytes than `largeByteCount` may stay in a cache, which has a bandwidth of its own.
    func limits(isa: ISA, repeatedByteCount: Int = .max) throws -> MachineLimits {
        let large = try memoryBytesPerSecond()
        let repeated =
            repeatedByteCount < largeByteCount ? max(large, try readBytesPerSecond(repeatedByteCount)) : large
        return MachineLimits(
            readGigabytesPerSecond: large / 1e9, repeatedReadGigabytesPerSecond: repeated / 1e9,
            int8GigamacsPerSecond: multiplyAddsPerSecond(CBENCH_INT8, isa: isa) / 1e9,
            float32GigamacsPerSecond: multiplyAddsPerSecond(CBENCH_FLOAT32, isa: isa) / 1e9)
    }

    // MARK: - Reading

    /// A part of the buffer for each thread, read some times over.
    private struct ReadTask: ComputeTask {
        let buffer: HugeBuffer
        /// Bytes of the buffer per thread.
        let partByteCount: Int
        /// What is read of each thread's bytes.
        var window: Range<Int>
        let width: cbench_width
        var pattern = cbench_read_pattern_at(0)
        let passCount: Int

        func compute(_ part: Int, thread: Int) {
            let start = part * partByteCount
            buffer.withBytes { bytes in
                unsafe bytes.extracting(start + window.lowerBound..<start + window.upperBound).withUnsafeBytes {
                    bytes in
                    for _ in 0..<passCount {
                        // The part lies in the buffer and starts on a line, since parts are whole pages.
                        _ = unsafe cbench_read(width, pattern, bytes.baseAddress, bytes.count)
                    }
                }
            }
        }
    }

    /// The bandwidth of main memory.
    func memoryBytesPerSecond() throws -> Double {
        let available = Machine.detect().availableByteCount / 4
        return try readBytesPerSecond(max(min(largeByteCount, available), 64 << 20))
    }

    /// The bandwidth of reading the same bytes again and again.
    ///
    /// - Parameter byteCount: rounded to pages of each thread.
    func readBytesPerSecond(_ byteCount: Int) throws -> Double {
        let partByteCount = max(1, byteCount / pool.threadCount / 4096) * 4096
        let buffer = try HugeBuffer(byteCount: partByteCount * pool.threadCount)
        // Each thread touches its own part first, so that the memory is near to it.
        pool.run(pool.threadCount) { thread in
            for index in stride(from: thread * partByteCount, to: (thread + 1) * partByteCount, by: 4096) {
                unsafe buffer.unsafeBytes[index] = 1
            }
        }
        // A large buffer is read window by window, so that what a cache keeps of one is gone when its turn comes again.
        let size = min(partByteCount, max(1, Self.windowByteCount / pool.threadCount / 4096) * 4096)
        // As many passes as fill the time at 100 GB/s.
        let passCount = max(1, Int(Self.roundSeconds * 100e9) / (size * pool.threadCount))
        var task = ReadTask(
            buffer: buffer, partByteCount: partByteCount, window: 0..<size, width: Self.width, passCount: passCount)
        var best = 0.0
        for _ in 0..<Self.roundCount {
            for index in 0..<cbench_read_pattern_count() {
                task.pattern = cbench_read_pattern_at(index)
                let seconds = Measurement.time { pool.run(pool.threadCount, task) }
                // Windows are whole pages, which every pattern divides without a rest.
                best = max(best, Double(size * passCount * pool.threadCount) / seconds)
                let next = task.window.upperBound + size <= partByteCount ? task.window.upperBound : 0
                task.window = next..<next + size
            }
        }
        return best
    }

    /// How wide loads are: as the machine can, whatever the kernels use.
    private static var width: cbench_width {
        #if arch(x86_64)
        if ISA.avx512.isAvailable { return CBENCH_WIDTH_AVX512 }
        if ISA.avx2.isAvailable { return CBENCH_WIDTH_AVX2 }
        #endif
        return CBENCH_WIDTH_BASELINE
    }

    // MARK: - Multiplying

    private struct MultiplyTask: ComputeTask {
        let isa: ISA
        let number: cbench_number
        let index: Int
        let rounds: UInt64

        func compute(_ part: Int, thread: Int) {
            // The name is read during the call only.
            _ = unsafe cbench_multiply(isa.rawValue, number, index, rounds)
        }
    }

    /// The peak of an instruction set; of all that this machine has when there is no loop for that one.
    func multiplyAddsPerSecond(_ number: cbench_number, isa: ISA) -> Double {
        if loopCount(number, isa: isa) > 0 { return peak(number, isa: isa) }
        return ISA.allCases.filter(\.isAvailable).map { peak(number, isa: $0) }.max() ?? 0
    }

    private func loopCount(_ number: cbench_number, isa: ISA) -> Int {
        // The name is read during the call only.
        unsafe cbench_multiplier_count(isa.rawValue, number)
    }

    private func peak(_ number: cbench_number, isa: ISA) -> Double {
        var best = 0.0
        for index in 0..<loopCount(number, isa: isa) {
            // As many rounds as fill the time on one thread.
            var rounds: UInt64 = 10_000
            while Measurement.time({
                MultiplyTask(isa: isa, number: number, index: index, rounds: rounds).compute(0, thread: 0)
            }) < Self.roundSeconds { rounds *= 2 }
            let multiplyAddCount = unsafe Double(cbench_multiply(isa.rawValue, number, index, 1))
            for _ in 0..<Self.roundCount {
                let task = MultiplyTask(isa: isa, number: number, index: index, rounds: rounds)
                let seconds = Measurement.time { pool.run(pool.threadCount, task) }
                best = max(best, multiplyAddCount * Double(rounds) * Double(pool.threadCount) / seconds)
            }
        }
        return best
    }
}
