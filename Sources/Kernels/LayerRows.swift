/// A view of float32 rows in memory that someone else owns: what the layer kernels read and write.
///
/// A row is `columnCount` numbers; rows lie `stride` numbers apart. Copies are views of the same memory.
///
/// `@unchecked Sendable`, and safe to use: the memory stays valid because the view keeps its owner alive, every access
/// is checked against the counts, and threads that share a view write disjoint rows or columns, as with any
/// shared output of a parallel loop.
@safe public struct LayerRows: @unchecked Sendable {
    public let rowCount: Int
    public let columnCount: Int
    /// Numbers from the start of a row to the start of the next.
    public let stride: Int

    private let start: UnsafeMutablePointer<Float>
    private let owner: AnyObject

    /// Makes a view.
    ///
    /// - Parameters:
    ///   - start: the first number of row 0.
    ///   - owner: the object that frees the memory in its `deinit`.
    @unsafe public init(
        start: UnsafeMutablePointer<Float>, owner: AnyObject, rowCount: Int, columnCount: Int, stride: Int
    ) {
        precondition(rowCount >= 0 && columnCount > 0 && stride >= columnCount, "rows do not overlap")
        unsafe self.start = start
        self.owner = owner
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.stride = stride
    }

    /// The same rows, seen from a column on.
    public func columns(_ range: Range<Int>) -> LayerRows {
        precondition(range.lowerBound >= 0 && range.upperBound <= columnCount, "columns of a row")
        return unsafe LayerRows(
            start: start + range.lowerBound, owner: owner, rowCount: rowCount, columnCount: range.count, stride: stride)
    }

    /// Some of the rows.
    public func rows(_ range: Range<Int>) -> LayerRows {
        precondition(range.lowerBound >= 0 && range.upperBound <= rowCount, "rows of the view")
        return unsafe LayerRows(
            start: start + range.lowerBound * stride, owner: owner, rowCount: range.count, columnCount: columnCount,
            stride: stride)
    }

    /// The memory of a row. Valid only while this view or its owner is alive.
    @unsafe public func unsafeRow(_ row: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(row >= 0 && row < rowCount, "a row of the view")
        return unsafe UnsafeMutableBufferPointer(start: start + row * stride, count: columnCount)
    }

    /// One number.
    public subscript(row: Int, column: Int) -> Float {
        get {
            precondition(column >= 0 && column < columnCount, "a column of the view")
            return unsafe unsafeRow(row)[column]
        }
        nonmutating set {
            precondition(column >= 0 && column < columnCount, "a column of the view")
            unsafe unsafeRow(row)[column] = newValue
        }
    }
}
