internal import CKernels

/// How weights are stored: ggml's floats and quantisation blocks.
public enum WeightFormat: String, CaseIterable, Sendable, Codable, CustomStringConvertible {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case q8x0 = "Q8_0"
    case q4x0 = "Q4_0"
    case q4x1 = "Q4_1"
    case q5x0 = "Q5_0"
    case q5x1 = "Q5_1"
    case q2K = "Q2_K"
    case q3K = "Q3_K"
    case q4K = "Q4_K"
    case q5K = "Q5_K"
    case q6K = "Q6_K"

    /// The format of a GGUF tensor type number (`ggml_type` in ggml.h); nil for types without kernels.
    public init?(ggmlType: UInt32) {
        guard let format = Self.allCases.first(where: { $0.ggmlType == ggmlType }) else { return nil }
        self = format
    }

    /// The format's number in GGUF files (`ggml_type` in ggml.h).
    public var ggmlType: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4x0: 2
        case .q4x1: 3
        case .q5x0: 6
        case .q5x1: 7
        case .q8x0: 8
        case .q2K: 10
        case .q3K: 11
        case .q4K: 12
        case .q5K: 13
        case .q6K: 14
        case .bf16: 30
        }
    }

    /// Weights per block: 1, 32 or 256. A row holds whole blocks.
    public var blockSize: Int { traits.blockSize }

    /// Bytes per block in a file.
    public var blockByteCount: Int { traits.blockByteCount }

    /// Whether weights are quantised, and so activations too.
    public var isQuantized: Bool { blockSize > 1 }

    /// How activations are stored for products with this format; it depends on nothing else.
    public var activationLayout: ActivationLayout { ActivationLayout(traits.activation) }

    /// Bytes of a row in a file.
    ///
    /// - Throws: `KernelsError` when `columns` is not positive, not a multiple of `blockSize` or above 2^24.
    public func rowByteCount(columns: Int) throws(KernelsError) -> Int {
        let byteCount = columns > 0 ? phalanx_row_bytes(code, columns) : 0
        guard byteCount > 0 else {
            throw KernelsError(
                "a row of \(columns) columns cannot be \(rawValue): it takes a multiple of \(blockSize), at most 2^24")
        }
        return byteCount
    }

    /// Writes the numbers that one row in file layout stands for, as ggml's reference computes them.
    ///
    /// - Parameters:
    ///   - row: the row's bytes, `rowByteCount(columns:)` of them; any alignment, any bit pattern.
    ///   - values: one row of `columns` numbers.
    public func dequantize(row: RawSpan, into values: LayerRows) {
        precondition(values.rowCount == 1, "one row")
        let columns = values.columnCount
        precondition(row.byteCount > 0 && row.byteCount == phalanx_row_bytes(code, columns), "the bytes of a row")
        // Both lengths were just checked; the kernel reads and writes no more.
        unsafe row.withUnsafeBytes { bytes in
            unsafe phalanx_dequantize_row(
                code, columns, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                values.unsafeRow(0).baseAddress)
        }
    }

    public var description: String { rawValue }

    var code: phalanx_format {
        switch self {
        case .f32: PHALANX_F32
        case .f16: PHALANX_F16
        case .bf16: PHALANX_BF16
        case .q8x0: PHALANX_Q8_0
        case .q4x0: PHALANX_Q4_0
        case .q4x1: PHALANX_Q4_1
        case .q5x0: PHALANX_Q5_0
        case .q5x1: PHALANX_Q5_1
        case .q2K: PHALANX_Q2_K
        case .q3K: PHALANX_Q3_K
        case .q4K: PHALANX_Q4_K
        case .q5K: PHALANX_Q5_K
        case .q6K: PHALANX_Q6_K
        }
    }

    private var traits: (blockSize: Int, blockByteCount: Int, activation: phalanx_activation) {
        // The table has an entry for every format.
        guard let traits = unsafe phalanx_traits(code) else { preconditionFailure("a format without traits") }
        return unsafe (Int(traits.pointee.block), Int(traits.pointee.block_bytes), traits.pointee.activation)
    }
}
