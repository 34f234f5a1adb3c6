import Host
import Kernels
import Phi

/// The operations between matrix products, on rows that threads share out.
struct RowBench {
    /// One operation on rows: what it is called, how its numbers are stored, and bytes read and written per row.
    struct Case {
        let operation: String
        let format: String
        let rowByteCount: Int
        let compute: (Range<Int>) -> Void
    }

    let pool: ComputePool

    /// All threads, each on its rows.
    func run(_ item: Case, rowCount: Int) {
        let pieceCount = min(rowCount, pool.threadCount)
        pool.run(pieceCount) { piece in
            item.compute(rowCount * piece / pieceCount..<rowCount * (piece + 1) / pieceCount)
        }
    }

    /// The operations that the plan asks for, with buffers for its largest row count.
    func cases(_ plan: KernelBenchPlan) throws -> [Case] {
        let rowCount = plan.rowCounts.max() ?? 1
        let columns = plan.columnCount
        var random = SplitMix64(seed: 1)
        let rows = { (columns: Int) in try LayerRows.allocated(rowCount: rowCount, columnCount: columns) }
        let input = try rows(columns)
        random.fill(input)
        let size = MemoryLayout<Float>.stride
        var cases: [Case] = []
        if plan.operations.contains(.quantize) {
            for layout in [ActivationLayout.int8Blocks32, .int8Blocks256] where columns % layout.blockSize == 0 {
                let target = try ActivationBuffer(layout: layout, columns: columns, capacity: rowCount)
                cases.append(
                    Case(
                        operation: "quantize", format: "int8 x \(layout.blockSize)", rowByteCount: columns * (size + 1)
                    ) { target.fill($0, from: input) })
            }
        }
        if plan.operations.contains(.norm) {
            let weight = try LayerRows.allocated(rowCount: 1, columnCount: columns)
            random.fill(weight)
            let output = try rows(columns)
            cases.append(
                Case(operation: "norm", format: "float", rowByteCount: columns * 2 * size) {
                    LayerKernels.rmsNorm(input.rows($0), weight: weight, epsilon: 1e-5, into: output.rows($0))
                })
        }
        if plan.operations.contains(.rope) { cases.append(try rope(plan, rowCount: rowCount)) }
        if plan.operations.contains(.gate) {
            let up = try rows(columns)
            let output = try rows(columns)
            random.fill(up)
            cases.append(
                Case(operation: "gate", format: "float", rowByteCount: columns * 3 * size) {
                    LayerKernels.siluGate(input.rows($0), up: up.rows($0), into: output.rows($0))
                })
        }
        return cases
    }

    private func rope(_ plan: KernelBenchPlan, rowCount: Int) throws -> Case {
        let headCount = plan.headCount + plan.keyValueHeadCount
        let heads = try LayerRows.allocated(rowCount: rowCount, columnCount: headCount * plan.headSize)
        var random = SplitMix64(seed: 1)
        random.fill(heads)
        let half = plan.headSize / 2
        let frequencies = try LayerRows.allocated(rowCount: 1, columnCount: half)
        for index in 0..<half { frequencies[0, index] = 1 / Float(1 + 100 * index) }
        let cosine = try LayerRows.allocated(rowCount: rowCount, columnCount: half)
        let sine = try LayerRows.allocated(rowCount: rowCount, columnCount: half)
        let byteCount = (2 * headCount * plan.headSize + 2 * half) * MemoryLayout<Float>.stride
        return Case(operation: "rope", format: "float", rowByteCount: byteCount) { rows in
            for row in rows {
                let (c, s) = (cosine.rows(row..<row + 1), sine.rows(row..<row + 1))
                LayerKernels.ropeAngles(
                    inverseFrequency: frequencies, position: row, factor: 1, cosine: c, sine: s)
                LayerKernels.ropeRotate(
                    heads.rows(row..<row + 1), headCount: headCount, headSize: plan.headSize, cosine: c, sine: s)
            }
        }
    }
}
