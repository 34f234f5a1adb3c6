/// A tensor of a model as a GGUF file of the architecture `phi3` holds it.
public struct GGUFModelTensor: Sendable, Hashable {
    /// What the tensor is for.
    public let role: TensorRole
    /// Name and extents.
    public let shape: GGUFTensorShape
}

extension ModelConfiguration {
    /// The tensors of a GGUF file of this model, in the order of llama-quantize: QKV fused, gate and up fused.
    public var ggufTensors: [GGUFModelTensor] {
        let hasFactors = longRope != nil
        let tensors = Checkpoint.roles(self).compactMap { role -> GGUFModelTensor? in
            switch role {
            case .output where tiedEmbeddings: return nil
            case .ropeFactorsLong where !hasFactors, .ropeFactorsShort where !hasFactors: return nil
            default: break
            }
            // Every role has a spelling of one name; of gate and up that is the second.
            let names = TensorNames.gguf.spellings(role, self)
            guard let name = names.first(where: { $0.count == 1 })?.first?.name else { return nil }
            let (rows, columns) = shape(of: role)
            let dimensions = role.isVector ? [columns] : [columns, rows]
            return GGUFModelTensor(role: role, shape: GGUFTensorShape(name: name, dimensions: dimensions))
        }
        return tensors.sorted { $0.shape.precedes($1.shape) }
    }

    /// The tensors of a GGUF file of this model with the types that a mixture gives them.
    ///
    /// - Parameter isPure: whether every matrix gets the mixture's base type.
    public func ggufPlan(
        _ mix: QuantizationMix, isPure: Bool = false
    ) -> [(tensor: GGUFModelTensor, plan: GGUFTensorPlan)] {
        let tensors = ggufTensors
        let types = mix.types(of: tensors.map(\.shape), in: self, isPure: isPure)
        return zip(tensors, types).map { tensor, type in
            let shape = tensor.shape
            return (tensor, GGUFTensorPlan(name: shape.name, type: type ?? .f32, dimensions: shape.dimensions))
        }
    }

    /// Writes the keys of this model that llama.cpp's converter writes for the architecture `phi3`.
    ///
    /// - Parameters:
    ///   - name: what the model calls itself.
    ///   - parameterCount: numbers in all weights, for `general.size_label`.
    ///   - fileType: the number of the mixture.
    public func ggufMetadata(name: String, parameterCount: Int, fileType: QuantizationMix) -> GGUFMetadata {
        var metadata = GGUFMetadata()
        metadata.set("general.architecture", architecture.rawValue)
        if let longRope { metadata.set("phi3.rope.scaling.attn_factor", longRope.attentionFactor) }
        metadata.set("general.type", "model")
        metadata.set("general.name", name)
        metadata.set("general.size_label", Self.sizeLabel(parameterCount))
        metadata.set("phi3.context_length", UInt32(contextLength))
        metadata.set("phi3.rope.scaling.original_context_length", UInt32(originalContextLength))
        metadata.set("phi3.embedding_length", UInt32(hiddenSize))
        metadata.set("phi3.feed_forward_length", UInt32(feedForwardSize))
        metadata.set("phi3.block_count", UInt32(layerCount))
        metadata.set("phi3.attention.head_count", UInt32(headCount))
        metadata.set("phi3.attention.head_count_kv", UInt32(kvHeadCount))
        metadata.set("phi3.attention.layer_norm_rms_epsilon", rmsNormEpsilon)
        metadata.set("phi3.rope.dimension_count", UInt32(rotaryDimension))
        metadata.set("phi3.rope.freq_base", ropeTheta)
        metadata.set("general.file_type", fileType.rawValue)
        if headDimension * headCount != hiddenSize {
            metadata.set("phi3.attention.key_length", UInt32(headDimension))
            metadata.set("phi3.attention.value_length", UInt32(headDimension))
        }
        // The converter writes 0 for a model without a window.
        metadata.set("phi3.attention.sliding_window", UInt32(slidingWindow ?? 0))
        metadata.set("general.quantization_version", UInt32(2))
        return metadata
    }

    /// "14B", "3.8B", "529K": as gguf-py's `model_weight_count_rounded_notation` rounds it.
    static func sizeLabel(_ parameterCount: Int) -> String {
        var value = Double(parameterCount)
        var unit = ""
        for (limit, name) in [(1e12, "T"), (1e9, "B"), (1e6, "M"), (0, "K")] where value > limit {
            value /= limit > 0 ? limit : 1e3
            unit = name
            break
        }
        let digits = String(Int(value.rounded(.toNearestOrEven)))
        guard digits.count < 2 else { return digits + unit }
        let tenths = Int((value * 10).rounded(.toNearestOrEven))
        return "\(tenths / 10).\(tenths % 10)\(unit)"
    }
}

extension TensorRole {
    /// Whether a GGUF file holds it with a single extent.
    var isVector: Bool {
        switch self {
        case .outputNorm, .ropeFactorsLong, .ropeFactorsShort: true
        case .layer(_, let tensor): tensor == .attentionNorm || tensor == .ffnNorm
        case .tokenEmbedding, .output: false
        }
    }
}
