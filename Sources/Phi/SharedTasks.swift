package import Host
package import Kernels

/// Contiguous pieces of a range of rows or panels: several per thread, so that one that the machine slows down has
/// something to give away.
struct Pieces {
    /// Pieces per thread, where there are so many things.
    static let countPerThread = 8

    /// Things to share out.
    let count: Int
    /// Pieces; at most one per thing.
    let pieceCount: Int

    init(_ count: Int, pool: ComputePool) {
        self.count = count
        pieceCount = count <= pool.threadCount ? count : min(count, Self.countPerThread * pool.threadCount)
    }

    /// What belongs to a piece.
    subscript(_ piece: Int) -> Range<Int> {
        count * piece / pieceCount..<count * (piece + 1) / pieceCount
    }
}

/// The product of a matrix with rows of activations, its panels shared out over the threads.
struct ProductTask: ComputeTask {
    let matrix: PackedMatrix
    let input: ActivationBuffer
    let rowCount: Int
    let output: LayerRows
    let panels: Pieces

    func compute(_ piece: Int, thread: Int) {
        matrix.multiply(input, rowCount: rowCount, panels: panels[piece], into: output)
    }
}

extension ComputePool {
    /// Multiplies `rowCount` filled rows by a matrix; allocates nothing.
    package func multiply(_ matrix: PackedMatrix, _ input: ActivationBuffer, rowCount: Int, into output: LayerRows) {
        let panels = Pieces(matrix.panelCount, pool: self)
        run(
            panels.pieceCount,
            ProductTask(matrix: matrix, input: input, rowCount: rowCount, output: output, panels: panels))
    }
}
