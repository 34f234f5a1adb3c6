import Host
import Kernels
import Phi
import Testing

@testable import Bench

/// The kernels' measurements, with shapes small enough for a test.
@Suite(.serialized) struct KernelBenchTests {
    private var smallPlan: KernelBenchPlan {
        var plan = KernelBenchPlan()
        plan.formats = [.q4K, .f16]
        plan.rowCounts = [1, 3]
        plan.isas = [.scalar]
        plan.columnCount = 256
        plan.outputCount = 64
        plan.headCount = 4
        plan.keyValueHeadCount = 2
        plan.headSize = 32
        plan.depths = [70]
        plan.vocabularySize = 1000
        plan.probeByteCount = 64 << 20
        return plan
    }

    @Test func `every operation is measured, and the instruction set in use stays`() throws {
        let used = ISA.current
        var results: [KernelMeasurement] = []
        try KernelBench.run(smallPlan, progress: { _, _ in }) { results.append($0) }
        #expect(ISA.current == used)
        #expect(results.filter { $0.operation == "matrix product" }.count == 4)
        let operations = Set(results.map(\.operation))
        #expect(
            operations == ["matrix product", "quantize", "norm", "rope", "gate", "attention at 70", "sampling"])
        for result in results {
            #expect(result.seconds > 0 && result.seconds.isFinite, "\(result)")
            #expect(result.fraction > 0 && result.fraction <= 1, "\(result)")
            #expect(result.isa == "scalar")
        }
    }

    @Test func `only the operations that are asked for are measured`() throws {
        var plan = smallPlan
        plan.operations = [.norm]
        var names: Set<String> = []
        try KernelBench.run(plan, progress: { _, _ in }) { names.insert($0.operation) }
        #expect(names == ["norm"])
    }

    @Test func `cliffs are ratios of neighbouring row counts`() throws {
        let made = CliffBench.Result(format: "Q4_K", isa: "scalar", threads: 1, rowsPerSecond: [10, 20, 15, 30])
        #expect(made.ratios == [2, 0.75, 2] && made.smallestRatio == 0.75)
        var plan = smallPlan
        plan.formats = [.q8x0]
        var results: [CliffBench.Result] = []
        try CliffBench.run(plan, maxRowCount: 3, progress: { _, _ in }) { results.append($0) }
        #expect(results.count == 1 && results[0].rowsPerSecond.count == 3)
        #expect(results.allSatisfy { $0.rowsPerSecond.allSatisfy { $0 > 0 && $0.isFinite } })
    }

    @Test func `impossible shapes are refused with the flag's name`() {
        let wrong: [(String, (inout KernelBenchPlan) -> Void)] = [
            ("--columns 100", { $0.columnCount = 100 }), ("--rows 0", { $0.rowCounts = [0] }),
            ("--depths 0", { $0.depths = [0] }), ("--heads", { $0.headCount = 3 }), ("--isa", { $0.isas = [] }),
            ("--threads 0", { $0.threadCount = 0 }), ("--vocabulary 0", { $0.vocabularySize = 0 }),
        ]
        for (words, change) in wrong {
            var plan = smallPlan
            change(&plan)
            let error = #expect(throws: BenchError.self) { try plan.check() }
            #expect(error?.message.contains(words) == true, "\(words): \(error?.message ?? "no error")")
        }
    }
}
