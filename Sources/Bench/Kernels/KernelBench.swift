import CBench
import Host
import Kernels
import Phi

/// Measures the kernels one by one.
public final class KernelBench {
    private let plan: KernelBenchPlan
    private let pool: ComputePool
    private let progress: (String, Double) -> Void
    private let probe: LimitProbe
    private let memoryBytesPerSecond: Double
    /// Peaks by instruction set.
    private var peaks: [ISA: (int8: Double, float32: Double)] = [:]
    /// Bandwidths by the size of what is read over and over.
    private var cacheBandwidths: [Int: Double] = [:]

    /// Measures everything that the plan asks for. The instruction set in use is the same afterwards.
    ///
    /// - Parameters:
    ///   - progress: called on this thread with what is being done and how much of everything is done, 0 to 1.
    ///   - report: called on this thread with each measurement.
    /// - Throws: `BenchError` when a number is impossible, `HostError` and `PhiError` when memory is short.
    public static func run(
        _ plan: KernelBenchPlan, progress: @escaping (String, Double) -> Void,
        report: (KernelMeasurement) throws -> Void
    ) throws {
        try plan.check()
        let used = ISA.current
        defer { try? used.use() }
        let bench = try KernelBench(plan, progress: progress)
        if plan.operations.contains(.matrix) { try bench.measureMatrices(report) }
        try bench.measureRows(report)
        if plan.operations.contains(.attention) { try bench.measureAttention(report) }
        if plan.operations.contains(.sampling) { try bench.measureSampling(report) }
    }

    private init(_ plan: KernelBenchPlan, progress: @escaping (String, Double) -> Void) throws {
        self.plan = plan
        self.progress = progress
        pool = try ComputePool(threadCount: plan.threadCount)
        probe = LimitProbe(pool: pool, largeByteCount: plan.probeByteCount)
        progress("measuring the machine", 0)
        memoryBytesPerSecond = try probe.memoryBytesPerSecond()
        for isa in plan.isas {
            peaks[isa] = (
                probe.multiplyAddsPerSecond(CBENCH_INT8, isa: isa),
                probe.multiplyAddsPerSecond(CBENCH_FLOAT32, isa: isa)
            )
        }
    }

    private func measureMatrices(_ report: (KernelMeasurement) throws -> Void) throws {
        for (index, format) in plan.formats.enumerated() {
            let weights = try WeightSet(
                format: format, columns: plan.columnCount, outputs: plan.outputCount,
                maxRowCount: plan.rowCounts.max() ?? 1, pool: pool)
            for isa in plan.isas {
                try isa.use()
                for rowCount in plan.rowCounts {
                    progress("\(format) with \(isa)", Double(index) / Double(plan.formats.count))
                    let seconds = Rounds.fastest { weights.multiply(rowCount: rowCount) }
                    try report(
                        KernelMeasurement(
                            operation: "matrix product", format: format.rawValue, rowCount: rowCount,
                            isa: isa.rawValue, seconds: seconds,
                            multiplyAddCount: Double(rowCount) * Double(plan.columnCount) * Double(plan.outputCount),
                            byteCount: Double(weights.matrices[0].byteCount), bytesPerSecond: memoryBytesPerSecond,
                            peak: peak(isa, isQuantized: format.isQuantized)))
                }
            }
        }
    }

    private func measureRows(_ report: (KernelMeasurement) throws -> Void) throws {
        let bench = RowBench(pool: pool)
        for item in try bench.cases(plan) {
            for isa in plan.isas {
                try isa.use()
                for rowCount in plan.rowCounts {
                    progress("\(item.operation) with \(isa)", 1)
                    let byteCount = item.rowByteCount * rowCount
                    let seconds = Rounds.fastest(count: 20, seconds: 0.02) { bench.run(item, rowCount: rowCount) }
                    try report(
                        KernelMeasurement(
                            operation: item.operation, format: item.format, rowCount: rowCount, isa: isa.rawValue,
                            seconds: seconds, multiplyAddCount: 0, byteCount: Double(byteCount),
                            bytesPerSecond: try bandwidth(repeating: byteCount), peak: peak(isa, isQuantized: false)))
                }
            }
        }
    }

    private func measureAttention(_ report: (KernelMeasurement) throws -> Void) throws {
        for depth in plan.depths {
            for (format, name) in [(AttentionPageFormat.f16, "f16"), (.f32, "f32")] {
                let bench = try AttentionBench(plan, depth: depth, format: format, pool: pool)
                for isa in plan.isas {
                    try isa.use()
                    progress("attention with \(isa)", 1)
                    let seconds = Rounds.fastest { bench.attend() }
                    try report(
                        KernelMeasurement(
                            operation: "attention at \(depth)", format: name, rowCount: 1, isa: isa.rawValue,
                            seconds: seconds, multiplyAddCount: bench.multiplyAddCount,
                            byteCount: bench.readByteCount, bytesPerSecond: memoryBytesPerSecond,
                            peak: peak(isa, isQuantized: false)))
                }
            }
        }
    }

    private func measureSampling(_ report: (KernelMeasurement) throws -> Void) throws {
        let byteCount = plan.vocabularySize * MemoryLayout<Float>.stride
        for (name, parameters) in SamplingBench.settings {
            var bench = try SamplingBench(vocabularySize: plan.vocabularySize, parameters: parameters)
            for isa in plan.isas {
                try isa.use()
                progress("sampling with \(isa)", 1)
                let seconds = Rounds.fastest(count: 20, seconds: 0.05) { bench.sample() }
                try report(
                    KernelMeasurement(
                        operation: "sampling", format: name, rowCount: 1, isa: isa.rawValue, seconds: seconds,
                        multiplyAddCount: 0, byteCount: Double(byteCount),
                        bytesPerSecond: try bandwidth(repeating: byteCount), peak: peak(isa, isQuantized: false)))
            }
        }
    }

    private func peak(
        _ isa: ISA, isQuantized: Bool
    ) -> (limit: KernelMeasurement.Limit, multiplyAddsPerSecond: Double) {
        isQuantized ? (.int8, peaks[isa]?.int8 ?? 1) : (.float32, peaks[isa]?.float32 ?? 1)
    }

    /// How fast so many bytes can be read again and again. Sizes are rounded down to powers of four, since less is
    /// faster.
    private func bandwidth(repeating byteCount: Int) throws -> Double {
        var size = 16 << 10
        while size * 4 <= byteCount { size *= 4 }
        if let known = cacheBandwidths[size] { return known }
        let measured = max(memoryBytesPerSecond, try probe.readBytesPerSecond(size))
        cacheBandwidths[size] = measured
        return measured
    }
}
