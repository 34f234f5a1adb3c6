/// Which type each tensor of a GGUF file gets: one type for all, or one of llama.cpp's mixtures.
///
/// Raw values are the numbers of `general.file_type` (`llama_ftype` in llama.h). The rules are those of llama.cpp's
/// `llama-quant.cpp` for the architecture `phi3`, without an importance matrix.
public enum QuantizationMix: UInt32, Sendable, Hashable, CaseIterable {
    case f32 = 0
    case f16 = 1
    case q4x0 = 2
    case q4x1 = 3
    case q8x0 = 7
    case q5x0 = 8
    case q5x1 = 9
    case q2K = 10
    case q3KSmall = 11
    case q3KMedium = 12
    case q3KLarge = 13
    case q4KSmall = 14
    case q4KMedium = 15
    case q5KSmall = 16
    case q5KMedium = 17
    case q6K = 18
    case bf16 = 32

    /// The mixture of a name as llama-quantize knows it, in any case: `Q4_K_M`, and `Q4_K` for the same.
    public init?(name: String) {
        let upper = name.uppercased()
        let aliases: [String: QuantizationMix] = ["Q3_K": .q3KMedium, "Q4_K": .q4KMedium, "Q5_K": .q5KMedium]
        guard let found = Self.allCases.first(where: { $0.name == upper }) ?? aliases[upper] else { return nil }
        self = found
    }

    /// The name that people use: `Q4_K_M`, `BF16`.
    public var name: String {
        switch self {
        case .q3KSmall, .q4KSmall, .q5KSmall: baseType.name + "_S"
        case .q3KMedium, .q4KMedium, .q5KMedium: baseType.name + "_M"
        case .q3KLarge: baseType.name + "_L"
        default: baseType.name
        }
    }

    /// The type of most tensors.
    public var baseType: TensorType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q4x0: .q4x0
        case .q4x1: .q4x1
        case .q5x0: .q5x0
        case .q5x1: .q5x1
        case .q8x0: .q8x0
        case .q2K: .q2K
        case .q3KSmall, .q3KMedium, .q3KLarge: .q3K
        case .q4KSmall, .q4KMedium: .q4K
        case .q5KSmall, .q5KMedium: .q5K
        case .q6K: .q6K
        }
    }

    /// What a tensor that may be quantised becomes, by its name and place.
    ///
    /// - Parameters:
    ///   - tensors: all tensors in the order in which the file holds them, which the rules go by.
    ///   - isPure: whether every tensor gets the base type, output and all.
    /// - Returns: a type per tensor; nil for one that keeps its own (a vector, a norm).
    func types(of tensors: [GGUFTensorShape], in model: ModelConfiguration, isPure: Bool) -> [TensorType?] {
        var rules = MixtureRules(mix: self, tensors: tensors, model: model)
        return tensors.map { tensor in
            guard tensor.allowsQuantization else { return nil }
            guard !baseType.isFloat else { return baseType }
            let wanted = isPure ? baseType : rules.type(of: tensor)
            return wanted.fitting(columns: tensor.columns)
        }
    }
}

/// Name and extents of a tensor, all that the choice of its type depends on.
public struct GGUFTensorShape: Sendable, Hashable {
    /// Its name in a GGUF file.
    public let name: String
    /// Extents, the row length first.
    public let dimensions: [Int]

    public init(name: String, dimensions: [Int]) {
        self.name = name
        self.dimensions = dimensions
    }

    var columns: Int { dimensions[0] }

    /// Matrices of weights; vectors and norms stay as they are.
    var allowsQuantization: Bool {
        dimensions.dropFirst().contains { $0 > 1 } && name.hasSuffix("weight") && !name.contains("_norm.weight")
    }

    /// Whether this tensor comes before another in the files that llama-quantize writes: those outside the layers first,
    /// then layer by layer, by name.
    func precedes(_ other: GGUFTensorShape) -> Bool {
        let (own, others) = (layer, other.layer)
        return own != others ? own < others : Array(name.utf8).lexicographicallyPrecedes(Array(other.name.utf8))
    }

    /// The layer, or -1.
    private var layer: Int {
        guard name.hasPrefix("blk.") else { return -1 }
        return Int(name.dropFirst(4).prefix { $0.isNumber }) ?? -1
    }
}

extension TensorType {
    /// This type, or the one that takes its place when a row is not a whole number of its blocks.
    func fitting(columns: Int) -> TensorType {
        guard columns % blockLength != 0 else { return self }
        let substitute: TensorType =
            switch self {
            case .q2K, .q3K: .q4x0
            case .q4K: .q5x0
            case .q5K: .q5x1
            case .q6K: .q8x0
            default: .f16
            }
        return columns % substitute.blockLength == 0 ? substitute : .f16
    }
}
