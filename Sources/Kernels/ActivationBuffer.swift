internal import CKernels

/// How rows of activations are stored for a matrix product.
public enum ActivationLayout: Sendable, Hashable, CaseIterable {
    /// Floats, for float weights.
    case float32
    /// int8 in blocks of 32 with one scale each, for Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1.
    case int8Blocks32
    /// int8 in blocks of 256 with one scale each, for the K formats.
    case int8Blocks256

    /// Columns come in multiples of this.
    public var blockSize: Int {
        switch self {
        case .float32: 1
        case .int8Blocks32: 32
        case .int8Blocks256: 256
        }
    }

    init(_ code: phalanx_activation) {
        switch code {
        case PHALANX_ACTIVATION_INT8_32: self = .int8Blocks32
        case PHALANX_ACTIVATION_INT8_256: self = .int8Blocks256
        default: self = .float32
        }
    }

    var code: phalanx_activation {
        switch self {
        case .float32: PHALANX_ACTIVATION_F32
        case .int8Blocks32: PHALANX_ACTIVATION_INT8_32
        case .int8Blocks256: PHALANX_ACTIVATION_INT8_256
        }
    }
}

/// Rows of activations in the form that a matrix product reads: allocated once, filled anew for every product.
///
/// `@unchecked Sendable`, and safe to use: address and sizes never change, the memory is freed in `deinit`, and every
/// access is checked against the counts. Threads that fill a buffer together fill disjoint rows, and products read it
/// only after all of them are done, as with any buffer of a parallel loop.
@safe public final class ActivationBuffer: @unchecked Sendable {
    public let layout: ActivationLayout
    /// Numbers per row.
    public let columns: Int
    /// Rows that fit.
    public let capacity: Int

    let rowByteCount: Int
    let start: UnsafeMutablePointer<UInt8>
    private let memory: UnsafeMutableRawPointer

    /// Reserves `capacity` rows, all zero.
    ///
    /// - Throws: `KernelsError` when `columns` does not fit the layout.
    public init(layout: ActivationLayout, columns: Int, capacity: Int) throws(KernelsError) {
        let rowByteCount = columns > 0 ? phalanx_activation_bytes(layout.code, columns) : 0
        guard rowByteCount > 0, capacity > 0, capacity <= 1 << 20 else {
            throw KernelsError(
                "\(capacity) activation rows of \(columns) columns are not possible: columns must be a multiple of "
                    + "\(layout.blockSize) up to 2^24, rows at most 2^20")
        }
        self.layout = layout
        self.columns = columns
        self.capacity = capacity
        self.rowByteCount = rowByteCount
        let byteCount = rowByteCount * capacity
        unsafe memory = .allocate(byteCount: byteCount, alignment: Int(PHALANX_ALIGNMENT))
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        unsafe start = memory.assumingMemoryBound(to: UInt8.self)
    }

    deinit {
        unsafe memory.deallocate()
    }

    /// Takes rows in: quantised where the layout says so, copied otherwise.
    ///
    /// - Parameters:
    ///   - rows: which rows of this buffer and of `values`.
    ///   - values: at least `rows.upperBound` rows of `columns` numbers.
    ///   - isa: whose kernels to use; they give the same bits.
    public func fill(_ rows: Range<Int>, from values: LayerRows, isa: ISA = .current) {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= capacity, "rows of the buffer")
        precondition(rows.upperBound <= values.rowCount, "rows of the values")
        for row in rows { fill(row, from: values.rows(row..<row + 1), isa: isa) }
    }

    /// Takes one row in, from wherever it lies; for rows that exist only while they are handed over.
    ///
    /// - Parameters:
    ///   - row: a row of this buffer.
    ///   - numbers: one row of `columns` numbers.
    ///   - isa: whose kernels to use; they give the same bits.
    public func fill(_ row: Int, from numbers: LayerRows, isa: ISA = .current) {
        precondition(row >= 0 && row < capacity, "a row of the buffer")
        precondition(numbers.rowCount == 1 && numbers.columnCount == columns, "one row of the buffer's width")
        precondition(isa.isAvailable, "an instruction set of this machine")
        // The kernel writes `rowByteCount` bytes, which were reserved.
        unsafe phalanx_matrix_kernels(isa.code).pointee.quantize(
            layout.code, columns, numbers.unsafeRow(0).baseAddress, start + row * rowByteCount)
    }

    /// The stored bytes of a row, for tests of the quantiser and comparisons bit for bit.
    public func bytes(ofRow row: Int) -> [UInt8] {
        precondition(row >= 0 && row < capacity, "a row of the buffer")
        return unsafe Array(UnsafeBufferPointer(start: start + row * rowByteCount, count: rowByteCount))
    }
}
