internal import CKernels

/// A row of weights of a quantised format in its parts: what the blocks of a file hold, without their layout.
///
/// A weight is `(values[i] - offset)` times the scale of its sub-block (where there are any) and of its block, less or
/// plus the minimums; see ggml's `ggml-common.h`.
public struct QuantizedRow: Sendable {
    /// How the row is stored.
    public let format: WeightFormat
    /// Weights in the row.
    public let columns: Int
    /// Weights per sub-block; the block's own length for a format without sub-blocks.
    public let subBlockSize: Int
    /// Bits of a value.
    public let valueBitCount: Int
    /// One per weight, unsigned, of `valueBitCount` bits.
    public var values: [UInt8]
    /// One per sub-block as stored: 6-bit signed ones plus 32, 8-bit ones as bit patterns.
    public var subScales: [UInt8]
    /// One per sub-block.
    public var subMinimums: [UInt8]
    /// One per block.
    public var scales: [Float16]
    /// One per block.
    public var minimums: [Float16]

    /// A row of zeros.
    ///
    /// - Throws: `KernelsError` for a float format, and when `columns` is not a whole number of blocks.
    public init(format: WeightFormat, columns: Int) throws(KernelsError) {
        _ = try format.rowByteCount(columns: columns)
        guard format.isQuantized, let traits = unsafe phalanx_traits(format.code)?.pointee else {
            throw KernelsError("\(format) has no blocks")
        }
        self.format = format
        self.columns = columns
        subBlockSize = Int(traits.sub_block)
        valueBitCount = Int(traits.low_bits + traits.high_bits)
        let blockCount = columns / format.blockSize
        values = [UInt8](repeating: 0, count: columns)
        subScales = [UInt8](repeating: 0, count: columns / subBlockSize)
        subMinimums = subScales
        scales = [Float16](repeating: 0, count: blockCount)
        minimums = scales
    }

    /// Puts the row into file layout: `format.rowByteCount(columns:)` bytes.
    public func encode(into bytes: UnsafeMutableRawBufferPointer) {
        let blockCount = columns / format.blockSize
        precondition(bytes.count == blockCount * format.blockByteCount, "the bytes of a row")
        precondition(
            values.count == columns && subScales.count == columns / subBlockSize
                && subMinimums.count == subScales.count && scales.count == blockCount && minimums.count == blockCount,
            "the parts of a row")
        // The counts were just checked; the kernel reads and writes no more, during the call only. A Float16 is its
        // bits.
        unsafe values.withUnsafeBufferPointer { values in
            unsafe subScales.withUnsafeBufferPointer { subScales in
                unsafe subMinimums.withUnsafeBufferPointer { subMinimums in
                    unsafe scales.withUnsafeBytes { scales in
                        unsafe minimums.withUnsafeBytes { minimums in
                            var parts = unsafe phalanx_plain_row(
                                scales: scales.baseAddress?.assumingMemoryBound(to: UInt16.self),
                                minimums: minimums.baseAddress?.assumingMemoryBound(to: UInt16.self),
                                sub_scales: subScales.baseAddress, sub_minimums: subMinimums.baseAddress,
                                values: values.baseAddress)
                            unsafe phalanx_encode_row(
                                format.code, columns, &parts,
                                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
                        }
                    }
                }
            }
        }
    }
}
