import Checkpoint
import Host
import Inference
import Kernels

@testable import Phi

/// The first layers of a checkpoint, looked at from outside.
struct StageProbe {
    private let runner: StageRunner

    init(checkpoint: Checkpoint, layerCount: Int) throws {
        let pool = try ComputePool(threadCount: 1)
        guard let layers = LayerRange(first: 0, end: layerCount) else {
            throw PhiError(code: .model, message: "no layers to look at")
        }
        let model = try StageModel.load(checkpoint, layers: layers, pool: pool)
        runner = try StageRunner(
            model: model, kvType: .f32, pageCount: 4, maxRowCount: 64,
            vocabularyLimit: checkpoint.configuration.vocabularySize, pool: pool)
    }

    /// The residual stream at the last position.
    func lastRow(of tokens: [Int32]) throws -> [Float] {
        let slice = Slice(
            sequence: SequenceID(1), firstPosition: 0, tokens: tokens, regime: .short, outputs: [],
            pages: [PageAssignment(firstLogicalPage: 0, pages: [PageID(2)])])
        let step = Step(epoch: Epoch(term: 1, plan: 1), number: 0, admissions: [], slices: [slice], retired: [])
        _ = try runner.run(step, rows: [])
        let rows = runner.hiddenRows
        return (0..<rows.columnCount).map { rows[rows.rowCount - 1, $0] }
    }
}
