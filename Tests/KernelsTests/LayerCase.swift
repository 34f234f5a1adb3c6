import Kernels

/// Rows in memory of their own, for tests; reached only through the checked view.
@safe final class LayerCase {
    private let memory: UnsafeMutablePointer<Float>
    let rowCount: Int
    let columnCount: Int

    init(rowCount: Int, columnCount: Int, _ number: (Int, Int) -> Float) {
        self.rowCount = rowCount
        self.columnCount = columnCount
        unsafe memory = .allocate(capacity: rowCount * columnCount)
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                unsafe (memory + row * columnCount + column).initialize(to: number(row, column))
            }
        }
    }

    deinit { unsafe memory.deallocate() }

    /// A view that keeps this object alive.
    var view: LayerRows {
        unsafe LayerRows(
            start: memory, owner: self, rowCount: rowCount, columnCount: columnCount, stride: columnCount)
    }

    var bits: [UInt32] {
        (0..<rowCount).flatMap { row in (0..<columnCount).map { view[row, $0].bitPattern } }
    }
}
