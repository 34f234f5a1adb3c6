internal import CKernels

/// Turns rows of weights of one format into rows of another.
///
/// Numbers are widened exactly and quantised byte for byte as ggml's reference quantisers do it without an importance
/// matrix (`ggml_quantize_chunk`); rows that have the target's format already are copied.
public struct RowConversion: Sendable {
    /// The format of the rows that are there.
    public let source: WeightFormat
    /// The format of the rows that are made.
    public let target: WeightFormat
    /// Weights per row.
    public let columns: Int
    /// Bytes of a row that is there.
    public let sourceByteCount: Int
    /// Bytes of a row that is made.
    public let targetByteCount: Int

    /// - Throws: `KernelsError` when `columns` is not a whole number of blocks of both formats.
    public init(from source: WeightFormat, to target: WeightFormat, columns: Int) throws(KernelsError) {
        self.source = source
        self.target = target
        self.columns = columns
        sourceByteCount = try source.rowByteCount(columns: columns)
        targetByteCount = try target.rowByteCount(columns: columns)
    }

    /// Converts consecutive rows.
    ///
    /// - Parameters:
    ///   - rows: whole rows in the source's format, at any alignment.
    ///   - target: as many rows in the target's format.
    /// - Returns: nil, or the first row with a number that is not finite or too large for the target; the rows from there
    ///   on are undefined then.
    public func convert(_ rows: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        let count = rows.count / sourceByteCount
        precondition(
            rows.count == count * sourceByteCount && target.count == count * targetByteCount, "the bytes of whole rows")
        guard source != self.target else {
            // Both counts are the same: the formats are, and the rows are.
            unsafe target.copyMemory(from: rows)
            return nil
        }
        var numbers = [Float](repeating: 0, count: columns)
        return unsafe numbers.withUnsafeMutableBufferPointer { numbers in
            for row in 0..<count {
                // Rows lie within both buffers by the check above; the kernels touch one row and `columns` numbers.
                let from = unsafe rows.baseAddress.map { unsafe $0 + row * sourceByteCount }
                let to = unsafe target.baseAddress.map { unsafe $0 + row * targetByteCount }
                unsafe phalanx_dequantize_row(
                    source.code, columns, from?.assumingMemoryBound(to: UInt8.self), numbers.baseAddress)
                let fits = unsafe phalanx_quantize_row(
                    self.target.code, columns, numbers.baseAddress, to?.assumingMemoryBound(to: UInt8.self))
                guard fits else { return row }
            }
            return nil
        }
    }
}
