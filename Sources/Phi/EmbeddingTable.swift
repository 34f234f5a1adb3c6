import Host
import Kernels

/// Embedding rows as they lie in the file, copied into memory of our own: a file that is truncated or replaced while the
/// model runs must not take the process down.
struct EmbeddingTable: Sendable {
    private let format: WeightFormat
    private let columns: Int
    private let rowByteCount: Int
    private let rowCount: Int
    /// Written in `init` only.
    private let buffer: HugeBuffer

    var byteCount: Int { buffer.byteCount }

    /// Copies a table of whole rows.
    ///
    /// - Parameters:
    ///   - bytes: `rowCount` rows in file layout.
    ///   - buffer: receives them; at least as large.
    init(format: WeightFormat, columns: Int, rowCount: Int, copying bytes: RawSpan) throws {
        rowByteCount = try format.rowByteCount(columns: columns)
        guard bytes.byteCount == rowByteCount * rowCount else {
            throw PhiError(
                code: .model,
                message: "the embedding table has \(bytes.byteCount) bytes, not \(rowCount) rows of \(rowByteCount)")
        }
        self.format = format
        self.columns = columns
        self.rowCount = rowCount
        buffer = try HugeBuffer(byteCount: bytes.byteCount)
        // Both sides have the same size.
        let target = unsafe buffer.unsafeBytes
        unsafe bytes.withUnsafeBytes { source in unsafe target.copyMemory(from: source) }
    }

    /// Writes the numbers of a row.
    func look(up row: Int, into values: LayerRows) {
        precondition(row >= 0 && row < rowCount, "a row of the table")
        buffer.withBytes { bytes in
            let start = row * rowByteCount
            format.dequantize(row: bytes.extracting(start..<start + rowByteCount), into: values)
        }
    }
}
