/// How the numbers of a tensor are stored: the types that this engine computes with.
///
/// Raw values are GGUF's type numbers. A row is a whole number of blocks; sizes are ggml's (`ggml-common.h`).
public enum TensorType: UInt32, Sendable, Hashable, CaseIterable, Codable {
    case f32 = 0
    case f16 = 1
    case q4x0 = 2
    case q4x1 = 3
    case q5x0 = 6
    case q5x1 = 7
    case q8x0 = 8
    case q2K = 10
    case q3K = 11
    case q4K = 12
    case q5K = 13
    case q6K = 14
    case bf16 = 30

    /// Numbers per block.
    public var blockLength: Int {
        switch self {
        case .f32, .f16, .bf16: 1
        case .q4x0, .q4x1, .q5x0, .q5x1, .q8x0: 32
        case .q2K, .q3K, .q4K, .q5K, .q6K: 256
        }
    }

    /// Bytes per block.
    public var blockByteCount: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .q4x0: 2 + 16
        case .q4x1: 4 + 16
        case .q5x0: 2 + 4 + 16
        case .q5x1: 4 + 4 + 16
        case .q8x0: 2 + 32
        case .q2K: 16 + 64 + 4
        case .q3K: 32 + 64 + 12 + 2
        case .q4K: 4 + 12 + 128
        case .q5K: 4 + 12 + 32 + 128
        case .q6K: 128 + 64 + 16 + 2
        }
    }

    /// The name that people use: `Q4_K`, `BF16`.
    public var name: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .bf16: "BF16"
        case .q4x0: "Q4_0"
        case .q4x1: "Q4_1"
        case .q5x0: "Q5_0"
        case .q5x1: "Q5_1"
        case .q8x0: "Q8_0"
        case .q2K: "Q2_K"
        case .q3K: "Q3_K"
        case .q4K: "Q4_K"
        case .q5K: "Q5_K"
        case .q6K: "Q6_K"
        }
    }

    /// Whether the numbers are plain floats.
    public var isFloat: Bool { blockLength == 1 }

    /// Bytes of a row of `columns` numbers; nil when it is not a whole number of blocks or too large to count.
    public func rowByteCount(columns: Int) -> Int? {
        guard columns >= 0, columns % blockLength == 0 else { return nil }
        let (bytes, overflow) = (columns / blockLength).multipliedReportingOverflow(by: blockByteCount)
        return overflow ? nil : bytes
    }

    /// The type of a safetensors `dtype`; nil when it is not supported.
    public init?(safetensorsName: String) {
        switch safetensorsName {
        case "F32": self = .f32
        case "F16": self = .f16
        case "BF16": self = .bf16
        default: return nil
        }
    }

    /// The name of any GGUF type number, supported or not, for messages.
    public static func name(ofGGUFType number: UInt32) -> String {
        if let type = TensorType(rawValue: number) { return type.name }
        let others: [UInt32: String] = [
            9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
            22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0",
            35: "TQ2_0", 39: "MXFP4",
        ]
        return others[number] ?? "number \(number)"
    }
}
