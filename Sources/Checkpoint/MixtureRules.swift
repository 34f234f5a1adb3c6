/// The rules of llama.cpp's mixtures (`llama_tensor_get_type_impl`), applied tensor by tensor in file order.
struct MixtureRules {
    private enum Category {
        case embedding, output, values, attentionOutput, down, other

        init(_ name: String) {
            switch name {
            case "output.weight": self = .output
            case "token_embd.weight": self = .embedding
            // The rules treat a fused QKV like the values alone, which suffer most.
            case let name where name.contains("attn_qkv.weight") || name.contains("attn_v.weight"): self = .values
            case let name where name.contains("attn_output.weight"): self = .attentionOutput
            case let name where name.contains("ffn_down"): self = .down
            default: self = .other
            }
        }
    }

    private let mix: QuantizationMix
    private let isTied: Bool
    private let queriesPerKV: Int
    private let layerCount: Int
    private let valuesCount: Int
    private var valuesSeen = 0
    private var downsSeen = 0

    init(mix: QuantizationMix, tensors: [GGUFTensorShape], model: ModelConfiguration) {
        self.mix = mix
        isTied = !tensors.contains { $0.name == "output.weight" }
        queriesPerKV = model.headCount / model.kvHeadCount
        layerCount = model.layerCount
        valuesCount = tensors.count { Category($0.name) == .values }
    }

    /// The type that the mixture gives the next tensor, whether it fits or not.
    mutating func type(of tensor: GGUFTensorShape) -> TensorType {
        let base = mix.baseType
        switch Category(tensor.name) {
        case .output: return output(tensor)
        case .embedding: return isTied ? output(tensor) : base
        case .values:
            defer { valuesSeen += 1 }
            return values(at: valuesSeen) ?? base
        case .down:
            defer { downsSeen += 1 }
            return down(at: downsSeen) ?? base
        case .attentionOutput:
            switch mix {
            case .q2K: return .q3K
            case .q3KMedium: return .q4K
            case .q3KLarge: return .q5K
            default: return base
            }
        case .other: return base
        }
    }

    private func output(_ tensor: GGUFTensorShape) -> TensorType {
        let base = mix.baseType
        return base == .q8x0 || tensor.columns % base.blockLength != 0 ? .q8x0 : .q6K
    }

    private func values(at place: Int) -> TensorType? {
        switch mix {
        case .q2K: queriesPerKV >= 4 ? .q4K : .q3K
        case .q3KMedium: place < 2 ? .q5K : .q4K
        case .q3KLarge: .q5K
        case .q4KSmall where place < 4: .q5K
        case .q4KMedium where takesMoreBits(place, of: valuesCount): .q6K
        case .q5KMedium where takesMoreBits(place, of: valuesCount): .q6K
        default: nil
        }
    }

    private func down(at place: Int) -> TensorType? {
        switch mix {
        case .q2K: .q3K
        case .q3KMedium: place < layerCount / 16 ? .q5K : .q4K
        case .q3KLarge: .q5K
        case .q4KSmall where place < layerCount / 8: .q5K
        case .q4KMedium where takesMoreBits(place, of: layerCount): .q6K
        case .q5KMedium where takesMoreBits(place, of: layerCount): .q6K
        default: nil
        }
    }

    /// The first and the last eighth of the layers, and every third between.
    private func takesMoreBits(_ place: Int, of count: Int) -> Bool {
        place < count / 8 || place >= 7 * count / 8 || (place - count / 8) % 3 == 2
    }
}
