public import Host

/// Consecutive rows of one tensor in a mapped file.
public struct TensorSlice: Sendable {
    /// The tensor's name in the file.
    public let name: String
    /// How the numbers are stored.
    public let type: TensorType
    /// Number of rows.
    public let rows: Int
    /// Numbers per row.
    public let columns: Int
    /// Bytes per row.
    public let rowByteCount: Int
    /// The mapped file, which keeps the bytes valid.
    public let file: MappedFile
    /// Where the bytes lie in the file: `rows * rowByteCount` of them.
    public let range: Range<Int>

    /// Bytes of all rows.
    public var byteCount: Int { range.count }

    /// The same tensor's rows in `selected` only.
    public func rows(_ selected: Range<Int>) -> TensorSlice {
        precondition(selected.lowerBound >= 0 && selected.upperBound <= rows, "rows outside the tensor")
        let start = range.lowerBound + selected.lowerBound * rowByteCount
        return TensorSlice(
            name: name, type: type, rows: selected.count, columns: columns, rowByteCount: rowByteCount, file: file,
            range: start..<(start + selected.count * rowByteCount))
    }

    /// The bytes of all rows, without copying. Valid only while this slice (or its file) is alive.
    ///
    /// - Throws: never for a slice of this module, whose range was checked when the file was opened.
    public func unsafeBytes() throws(HostError) -> UnsafeRawBufferPointer {
        unsafe try file.unsafeBytes(in: range)
    }

    /// Calls `body` with the bytes of all rows.
    public func withBytes<Result>(_ body: (RawSpan) throws -> Result) throws -> Result {
        try file.withBytes(in: range, body)
    }
}

/// A tensor by its role: one matrix, or several stacked by rows where the file keeps them apart.
public struct TensorView: Sendable {
    /// What the tensor is for.
    public let role: TensorRole
    /// Rows of all slices together; 1 for a vector.
    public let rows: Int
    /// Numbers per row.
    public let columns: Int
    /// The parts, in the order of their rows; their types may differ.
    public let slices: [TensorSlice]

    /// Names in the file, for messages.
    public var name: String { slices.map(\.name).joined(separator: " + ") }
    /// Bytes in the file.
    public var byteCount: Int { slices.reduce(0) { $0 + $1.byteCount } }
    /// The type when all parts share one, else nil.
    public var type: TensorType? {
        let types = Set(slices.map(\.type))
        return types.count == 1 ? types.first : nil
    }

    /// Asks the kernel to read the bytes ahead.
    public func adviseWillNeed() {
        for slice in slices { slice.file.adviseWillNeed(slice.range) }
    }

    /// Lets the kernel drop the pages; they are read again when touched.
    public func adviseDontNeed() {
        for slice in slices { slice.file.adviseDontNeed(slice.range) }
    }

    /// All numbers of a float tensor as 32-bit floats, rows in order. For vectors (norms, factors) and tests.
    ///
    /// - Throws: `CheckpointError` when the tensor is quantised.
    public func floats() throws(CheckpointError) -> [Float] {
        var result: [Float] = []
        for slice in slices {
            guard slice.type.isFloat else {
                throw .unsupported(
                    slice.file.path,
                    "tensor \(quoted(slice.name)) is stored as \(slice.type.name), but must be F32, F16 or BF16; "
                        + "convert the model again")
            }
            result.reserveCapacity(result.count + slice.rows * slice.columns)
            var reader = try ByteReader(slice.file, at: slice.range.lowerBound)
            for _ in 0..<(slice.rows * slice.columns) {
                switch slice.type {
                case .f16: result.append(FloatConversion.float(half: try reader.integer(UInt16.self, slice.name)))
                case .bf16: result.append(Float(bitPattern: UInt32(try reader.integer(UInt16.self, slice.name)) << 16))
                default: result.append(Float(bitPattern: try reader.integer(UInt32.self, slice.name)))
                }
            }
        }
        return result
    }
}

/// Widening of stored floats, exact for every bit pattern.
enum FloatConversion {
    /// The value of an IEEE binary16 bit pattern.
    static func float(half bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10) & 0x1F
        let fraction = UInt32(bits & 0x3FF)
        switch exponent {
        case 0:
            // Zero or subnormal: fraction · 2^-24, exact.
            let magnitude = Float(fraction) * 0x1p-24
            return Float(bitPattern: magnitude.bitPattern | sign)
        case 0x1F: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}
