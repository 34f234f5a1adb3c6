import Kernels

/// What computing with the weights costs, for comparing speeds with what a machine can do.
extension StageModel {
    /// Bytes of weights that a step reads, whether it has one row or many: every matrix and norm, and one row of the
    /// embedding. As they lie in memory, padding included.
    package var stepWeightByteCount: Int {
        let vectors = 2 * decoderLayers.count + (output == nil ? 0 : 1)
        return matrices.reduce(0) { $0 + $1.byteCount } + vectors * shape.hiddenSize * MemoryLayout<Float>.stride
            + embeddingRowByteCount
    }

    /// Multiply-adds of a row with the weights of the layers; attention apart.
    package var layerMultiplyAddCount: Int {
        decoderLayers.flatMap(\.matrices).reduce(0) { $0 + $1.rows * $1.columns }
    }

    /// Multiply-adds of a row whose logits are computed, beside those of the layers.
    package var headMultiplyAddCount: Int {
        output.map { $0.head.rows * $0.head.columns } ?? 0
    }

    /// Whether the weights of the layers are integers with scales; if so, activations are integers, too.
    package var isQuantized: Bool {
        decoderLayers.flatMap(\.matrices).contains { $0.format.isQuantized }
    }

    private var matrices: [PackedMatrix] {
        decoderLayers.flatMap(\.matrices) + (output.map { [$0.head] } ?? [])
    }

    private var embeddingRowByteCount: Int {
        switch embedding {
        case .table(let table): table.byteCount / shape.vocabularySize
        case .tied(let matrix): matrix.byteCount / matrix.rows
        case nil: 0
        }
    }
}
