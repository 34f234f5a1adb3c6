extension ModelConfiguration {
    /// Reads the configuration from a GGUF file's metadata and RoPE factor tensors.
    ///
    /// - Throws: `CheckpointError` naming the key that is missing, wrong or unsupported.
    init(gguf: GGUFFile, tensors: GGUFTensors) throws(CheckpointError) {
        let path = gguf.path
        guard let architecture = try gguf.string("general.architecture") else {
            throw .missing(path, "metadata key 'general.architecture' is missing; convert the model again")
        }
        guard architecture == "phi3" else {
            throw .unsupported(
                path,
                "the model architecture \(quoted(architecture)) is not supported yet; "
                    + "the dense members of the Phi-3 family ('phi3') are")
        }
        let keys = GGUFKeys(gguf: gguf, prefix: architecture)
        if let experts = try gguf.integer("phi3.expert_count"), experts > 0 {
            throw .unsupported(path, "'phi3.expert_count' is \(experts): mixtures of experts are not supported yet")
        }
        if let scaling = try gguf.string("phi3.rope.scaling.type"), scaling != "none", scaling != "longrope" {
            throw .unsupported(path, "'phi3.rope.scaling.type' \(quoted(scaling)) is not supported; 'longrope' is")
        }
        let heads = try keys.integer("attention.head_count", in: ModelLimit.heads)
        let hidden = try keys.integer("embedding_length", in: ModelLimit.hidden)
        let headDimension = try keys.integer(
            "attention.key_length", in: ModelLimit.headDimension, else: hidden / heads)
        guard
            try keys.integer("attention.value_length", in: ModelLimit.headDimension, else: headDimension)
                == headDimension
        else { throw .unsupported(path, "keys and values of different width are not supported") }
        guard hidden / heads >= 1, gguf.metadata["phi3.attention.key_length"] != nil || hidden % heads == 0 else {
            throw .inconsistent(
                path, "'phi3.embedding_length' \(hidden) is no multiple of 'phi3.attention.head_count' \(heads)")
        }
        let context = try keys.integer("context_length", in: ModelLimit.context)
        let original = try keys.integer(
            "rope.scaling.original_context_length", in: ModelLimit.context, else: context)
        let window = try keys.integer("attention.sliding_window", in: 0...ModelLimit.window.upperBound, else: 0)

        self.init(
            architecture: .phi3,
            vocabularySize: try Self.vocabularySize(gguf, tensors, keys),
            hiddenSize: hidden,
            layerCount: try keys.integer("block_count", in: ModelLimit.layers),
            headCount: heads,
            kvHeadCount: try keys.integer("attention.head_count_kv", in: ModelLimit.heads, else: heads),
            headDimension: headDimension,
            feedForwardSize: try keys.integer("feed_forward_length", in: ModelLimit.feedForward),
            rmsNormEpsilon: Float(try keys.float("attention.layer_norm_rms_epsilon")),
            ropeTheta: Float(try keys.float("rope.freq_base", else: 10_000)),
            rotaryDimension: try keys.integer(
                "rope.dimension_count", in: ModelLimit.headDimension, else: headDimension),
            slidingWindow: window == 0 ? nil : window,
            contextLength: context,
            originalContextLength: original,
            longRope: try Self.longRope(gguf, tensors, context: context, original: original),
            tiedEmbeddings: tensors["output.weight"] == nil,
            beginOfSequenceID: try gguf.tokenID("tokenizer.ggml.bos_token_id"),
            endOfSequenceIDs: try EndOfSequence.ids(gguf: gguf),
            addsBeginOfSequence: try Self.addsBeginOfSequence(gguf))
        try validate(path: path)
    }

    /// What the file says, or what its kind of tokenizer does when it says nothing.
    private static func addsBeginOfSequence(_ gguf: GGUFFile) throws(CheckpointError) -> Bool {
        if let flag = try gguf.bool("tokenizer.ggml.add_bos_token") { return flag }
        return try gguf.string("tokenizer.ggml.model") == "llama"
    }

    /// Rows of the embedding table; a file without tensors has only its vocabulary to tell.
    private static func vocabularySize(
        _ gguf: GGUFFile, _ tensors: GGUFTensors, _ keys: GGUFKeys
    ) throws(CheckpointError) -> Int {
        let path = gguf.path
        let tokenCount = gguf.arrayCount("tokenizer.ggml.tokens")
        guard let rows = tensors["token_embd.weight"]?.tensor.rows ?? tokenCount else {
            return try keys.integer("vocab_size", in: ModelLimit.vocabulary)
        }
        guard ModelLimit.vocabulary.contains(rows) else {
            throw .unsupported(path, "a vocabulary of \(rows) tokens is beyond the \(ModelLimit.vocabulary.upperBound)")
        }
        if let tokenCount, tokenCount > rows {
            throw .inconsistent(
                path, "'tokenizer.ggml.tokens' has \(tokenCount) tokens, but 'token_embd.weight' only \(rows) rows")
        }
        return rows
    }

    private static func longRope(
        _ gguf: GGUFFile, _ tensors: GGUFTensors, context: Int, original: Int
    ) throws(CheckpointError) -> LongRope? {
        let short = try tensors.floats("rope_factors_short.weight", limit: ModelLimit.headDimension.upperBound)
        let long = try tensors.floats("rope_factors_long.weight", limit: ModelLimit.headDimension.upperBound)
        switch (short, long) {
        case (nil, nil):
            if try gguf.string("phi3.rope.scaling.type") == "longrope", !tensors.isEmpty {
                throw .missing(
                    gguf.path,
                    "'rope_factors_long.weight' and 'rope_factors_short.weight' are missing, but the model uses "
                        + "LongRoPE; convert it again")
            }
            return nil
        case (let short?, let long?):
            let factor = try gguf.float("phi3.rope.scaling.attn_factor").map { Float($0) }
            return LongRope(
                shortFactors: short, longFactors: long,
                attentionFactor: factor
                    ?? LongRope.attentionFactor(contextLength: context, originalContextLength: original))
        default:
            throw .missing(
                gguf.path,
                "one of 'rope_factors_long.weight' and 'rope_factors_short.weight' is missing; convert the model again")
        }
    }
}

/// The metadata keys of one architecture, with bounds.
struct GGUFKeys {
    let gguf: GGUFFile
    let prefix: String

    /// The whole number under a key; `fallback` when the key is absent.
    func integer(
        _ key: String, in range: ClosedRange<Int>, else fallback: Int? = nil
    ) throws(CheckpointError) -> Int {
        guard let value = try gguf.integer("\(prefix).\(key)") ?? fallback else { throw missing(key) }
        guard range.contains(value) else {
            throw .malformed(
                gguf.path,
                "metadata key '\(prefix).\(key)' is \(value), but must lie between \(range.lowerBound) and "
                    + "\(range.upperBound)")
        }
        return value
    }

    /// The number under a key; `fallback` when the key is absent.
    func float(_ key: String, else fallback: Double? = nil) throws(CheckpointError) -> Double {
        guard let value = try gguf.float("\(prefix).\(key)") ?? fallback else { throw missing(key) }
        return value
    }

    private func missing(_ key: String) -> CheckpointError {
        .missing(gguf.path, "metadata key '\(prefix).\(key)' is missing; convert the model again")
    }
}
