import Kernels

/// The mean of rows that come in order of their positions, some at a time.
///
/// Each column is summed in double precision, one row after the other from position 0 on, and divided once at the end; so
/// the mean is the same whatever the chunks in which the rows came.
struct MeanPool {
    private var sums: [Double]
    private(set) var rowCount = 0

    init(columnCount: Int) { sums = Array(repeating: 0, count: columnCount) }

    /// Adds the first row of `rows`, which has as many columns as the pool.
    mutating func add(_ rows: LayerRows) {
        precondition(rows.columnCount == sums.count, "rows have the width of the pool")
        // The view is alive until the end of the call.
        let row = unsafe UnsafeBufferPointer(rows.unsafeRow(0))
        for column in sums.indices { sums[column] += Double(unsafe row[column]) }
        rowCount += 1
    }

    /// Of the rows so far, of which there is one at least.
    var mean: [Float] {
        precondition(rowCount > 0, "a mean of something")
        return sums.map { Float($0 / Double(rowCount)) }
    }
}
