import Kernels

/// The first stage's table: one row of numbers per token.
enum TokenEmbedding: Sendable {
    /// Rows in file layout, in memory of our own.
    case table(EmbeddingTable)
    /// The head's packed weights, when both ends of a model with tied embeddings are here.
    case tied(PackedMatrix)

    /// Writes a token's row.
    ///
    /// - Parameter token: checked against the vocabulary.
    func look(up token: Int32, into row: LayerRows) {
        switch self {
        case .table(let table): table.look(up: Int(token), into: row)
        case .tied(let matrix): matrix.dequantize(row: Int(token), into: row)
        }
    }

    /// Bytes of its own.
    var byteCount: Int {
        switch self {
        case .table(let table): table.byteCount
        case .tied: 0
        }
    }
}
