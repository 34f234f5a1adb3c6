import Host
import Kernels

/// The last stage's norm and head, computed only for the rows whose logits are asked for.
final class OutputHead {
    /// Rows per product; more are done in several.
    static let maxRowCount = 32

    /// The logits of the latest `compute`, in its order.
    let logits: LayerRows

    private let norm: LayerRows
    private let matrix: PackedMatrix
    private let epsilon: Float
    private let normed: LayerRows
    private let activations: ActivationBuffer
    private let pool: ComputePool
    private let capacity: Int

    init(norm: LayerRows, matrix: PackedMatrix, epsilon: Float, maxRowCount: Int, pool: ComputePool) throws {
        self.norm = norm
        self.matrix = matrix
        self.epsilon = epsilon
        self.pool = pool
        capacity = min(maxRowCount, Self.maxRowCount)
        normed = try LayerRows.allocated(rowCount: capacity, columnCount: matrix.columns)
        logits = try LayerRows.allocated(rowCount: capacity, columnCount: matrix.rows)
        activations = try ActivationBuffer(
            layout: matrix.activationLayout, columns: matrix.columns, capacity: capacity)
    }

    /// Bytes of the buffers.
    var byteCount: Int {
        2 * LayerRows.byteCount(rowCount: capacity, columnCount: matrix.columns)
            + LayerRows.byteCount(rowCount: capacity, columnCount: matrix.rows)
    }

    /// Rows that one call takes.
    var rowCapacity: Int { capacity }

    /// Norms one row of hidden state; the result stands until the next call of any kind.
    func norm(_ row: Int, of hidden: LayerRows) -> LayerRows {
        let result = normed.rows(0..<1)
        LayerKernels.rmsNorm(hidden.rows(row..<row + 1), weight: norm, epsilon: epsilon, into: result)
        return result
    }

    /// Computes the logits of some rows of hidden state; at most `rowCapacity`.
    func compute(_ rows: ArraySlice<Int>, of hidden: LayerRows) {
        precondition(rows.count <= capacity, "rows of one product")
        for (place, row) in rows.enumerated() {
            LayerKernels.rmsNorm(
                hidden.rows(row..<row + 1), weight: norm, epsilon: epsilon, into: normed.rows(place..<place + 1))
        }
        activations.fill(0..<rows.count, from: normed)
        pool.multiply(matrix, activations, rowCount: rows.count, into: logits)
    }
}
