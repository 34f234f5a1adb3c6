import Host
import Kernels

/// Embedding rows as they lie in the file, copied into memory of our own: a file that is truncated or replaced while the
/// model runs must not take the process down.
struct EmbeddingTable: Sendable {
    private let format: WeightFormat
    private let columns: Int
    private let rowByteCount: Int
    private let rowCount: Int
    /// Whose bytes nobody writes any more.
    private let buffer: HugeBuffer
    private let offset: Int

    var byteCount: Int { rowByteCount * rowCount }

    /// - Parameters:
    ///   - buffer: holds the rows, one after the other in file layout, from `offset` on.
    /// - Throws: `PhiError` when it is too small, `KernelsError` when a row cannot have that many columns.
    init(format: WeightFormat, columns: Int, rowCount: Int, buffer: HugeBuffer, offset: Int = 0) throws {
        rowByteCount = try format.rowByteCount(columns: columns)
        guard offset >= 0, rowCount <= (buffer.byteCount - offset) / rowByteCount else {
            throw PhiError(
                code: .model,
                message: "the embedding table has \(buffer.byteCount - offset) bytes, not \(rowCount) rows of "
                    + "\(rowByteCount)")
        }
        self.format = format
        self.columns = columns
        self.rowCount = rowCount
        self.buffer = buffer
        self.offset = offset
    }

    /// Writes the numbers of a row.
    func look(up row: Int, into values: LayerRows) {
        precondition(row >= 0 && row < rowCount, "a row of the table")
        buffer.withBytes { bytes in
            let start = offset + row * rowByteCount
            format.dequantize(row: bytes.extracting(start..<start + rowByteCount), into: values)
        }
    }
}
