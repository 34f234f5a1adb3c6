/// A metadata value of a GGUF file. Strings and arrays stay in the file until they are asked for.
public enum GGUFValue: Sendable {
    case unsigned(UInt64)
    case signed(Int64)
    case float(Double)
    case bool(Bool)
    /// Where the UTF-8 bytes of a string lie in the file.
    case string(Range<Int>)
    case array(GGUFArray)
}

/// An array in a GGUF file: where its elements lie. Its end was found and every element checked when the file was
/// opened; elements are made into Swift values only on demand.
public struct GGUFArray: Sendable, Hashable {
    /// The type of every element.
    public let elementType: GGUFValueType
    /// Number of elements.
    public let count: Int
    /// Byte range of the elements in the file.
    public let range: Range<Int>
}

/// The types of metadata values, by their numbers in the file (ggml's `docs/gguf.md`).
public enum GGUFValueType: UInt32, Sendable, Hashable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
    case float64 = 12

    /// Bytes of a value of fixed size; nil for strings and arrays.
    var fixedByteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// The least number of bytes that an element of this type takes in a file.
    var leastByteCount: Int {
        switch self {
        case .string: 8
        case .array: 12
        default: fixedByteCount ?? 1
        }
    }
}
