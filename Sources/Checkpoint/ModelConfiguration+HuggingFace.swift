import Foundation

extension ModelConfiguration {
    /// Reads `config.json`, `generation_config.json` and `tokenizer_config.json` of a Hugging Face directory.
    ///
    /// Both spellings are understood: `rope_scaling` with top-level `rope_theta`, and the newer `rope_parameters`.
    /// - Throws: `CheckpointError` naming the key that is missing, wrong or unsupported.
    init(huggingFace directory: URL) throws(CheckpointError) {
        let path = directory.appendingPathComponent("config.json").path
        guard let json = try TextFile.json(path) else {
            throw .missing(path, "is missing; name a complete Hugging Face model directory or a GGUF file")
        }
        try Self.refuseUnsupported(json, path: path)
        let keys = HuggingFaceKeys(json: json, path: path)
        let heads = try keys.integer("num_attention_heads", in: ModelLimit.heads)
        let hidden = try keys.integer("hidden_size", in: ModelLimit.hidden)
        guard json["head_dim"] != nil || hidden % heads == 0 else {
            throw .inconsistent(path, "'hidden_size' \(hidden) is no multiple of 'num_attention_heads' \(heads)")
        }
        let headDimension = try keys.integer("head_dim", in: ModelLimit.headDimension, else: hidden / heads)
        let rope = json["rope_parameters"] ?? json["rope_scaling"]
        let partial = try keys.float(
            "partial_rotary_factor", alsoIn: rope, else: 1)
        guard partial > 0, partial <= 1 else {
            throw .malformed(path, "'partial_rotary_factor' is \(partial), but must lie between 0 and 1")
        }
        let context = try keys.integer("max_position_embeddings", in: ModelLimit.context)
        let original = try keys.integer(
            "original_max_position_embeddings", alsoIn: rope, in: ModelLimit.context, else: context)
        let tokenizer = try TextFile.json(directory.appendingPathComponent("tokenizer_config.json").path)

        self.init(
            architecture: .phi3,
            vocabularySize: try keys.integer("vocab_size", in: ModelLimit.vocabulary),
            hiddenSize: hidden,
            layerCount: try keys.integer("num_hidden_layers", in: ModelLimit.layers),
            headCount: heads,
            kvHeadCount: try keys.integer("num_key_value_heads", in: ModelLimit.heads, else: heads),
            headDimension: headDimension,
            feedForwardSize: try keys.integer("intermediate_size", in: ModelLimit.feedForward),
            rmsNormEpsilon: Float(try keys.float("rms_norm_eps", else: 1e-5)),
            ropeTheta: Float(try keys.float("rope_theta", alsoIn: rope, else: 10_000)),
            // As in the reference: the product is truncated.
            rotaryDimension: Int(Double(headDimension) * partial),
            slidingWindow: json["sliding_window"] == nil
                ? nil : try keys.integer("sliding_window", in: ModelLimit.window),
            contextLength: context,
            originalContextLength: original,
            longRope: try Self.longRope(rope, keys, context: context, original: original),
            tiedEmbeddings: try keys.bool("tie_word_embeddings", else: false),
            beginOfSequenceID: json["bos_token_id"] == nil
                ? nil : try keys.integer("bos_token_id", in: 0...ModelLimit.vocabulary.upperBound),
            endOfSequenceIDs: try EndOfSequence.ids(configuration: json, directory: directory),
            addsBeginOfSequence: Self.addsBeginOfSequence(tokenizer))
        try validate(path: path)
    }

    /// `add_bos_token`, or what the tokenizer's class does when nothing is said.
    private static func addsBeginOfSequence(_ tokenizer: JSONValue?) -> Bool {
        if case .bool(let flag) = tokenizer?["add_bos_token"] { return flag }
        return tokenizer?["tokenizer_class"]?.text?.hasPrefix("LlamaTokenizer") ?? false
    }

    private static func refuseUnsupported(_ json: JSONValue, path: String) throws(CheckpointError) {
        guard let type = json["model_type"]?.text else {
            throw .missing(path, "'model_type' is missing; name a model of the Phi-3 family")
        }
        guard type == "phi3" else {
            throw .unsupported(
                path,
                "'model_type' \(quoted(type)) is not supported yet; the dense members of the Phi-3 family ('phi3') are")
        }
        if let experts = json["num_local_experts"]?.integer, experts > 0 {
            throw .unsupported(path, "'num_local_experts' is \(experts): mixtures of experts are not supported yet")
        }
        if json["quantization_config"] != nil {
            throw .unsupported(
                path, "'quantization_config' is not supported; use the unquantised checkpoint or a GGUF file")
        }
        if let activation = json["hidden_act"]?.text, activation != "silu" {
            throw .unsupported(path, "'hidden_act' \(quoted(activation)) is not supported; 'silu' is")
        }
        for key in ["attention_bias", "lm_head_bias", "mlp_bias"] where json[key] == .bool(true) {
            throw .unsupported(path, "'\(key)' is not supported: the Phi-3 graph has no biases")
        }
    }

    private static func longRope(
        _ rope: JSONValue?, _ keys: HuggingFaceKeys, context: Int, original: Int
    ) throws(CheckpointError) -> LongRope? {
        guard let rope, let type = (rope["rope_type"] ?? rope["type"])?.text, type != "default" else { return nil }
        // Early 128k checkpoints call it "su".
        guard type == "longrope" || type == "su" else {
            throw .unsupported(keys.path, "RoPE scaling of type \(quoted(type)) is not supported; 'longrope' is")
        }
        let factor = rope["attention_factor"]?.double.map { Float($0) }
        return LongRope(
            shortFactors: try keys.floats("short_factor", in: rope),
            longFactors: try keys.floats("long_factor", in: rope),
            attentionFactor: factor
                ?? LongRope.attentionFactor(contextLength: context, originalContextLength: original))
    }
}

/// The keys of a `config.json`, with bounds.
struct HuggingFaceKeys {
    let json: JSONValue
    let path: String

    /// The whole number under a key, at the top or in `nested`; `fallback` when the key is absent.
    func integer(
        _ key: String, alsoIn nested: JSONValue? = nil, in range: ClosedRange<Int>, else fallback: Int? = nil
    ) throws(CheckpointError) -> Int {
        guard let found = json[key] ?? nested?[key] else {
            guard let fallback else { throw missing(key) }
            return try bounded(key, fallback, range)
        }
        guard let value = found.integer else { throw .malformed(path, "'\(key)' must be a whole number") }
        return try bounded(key, value, range)
    }

    /// The number under a key, at the top or in `nested`; `fallback` when the key is absent.
    func float(
        _ key: String, alsoIn nested: JSONValue? = nil, else fallback: Double
    ) throws(CheckpointError) -> Double {
        guard let found = json[key] ?? nested?[key] else { return fallback }
        guard let value = found.double else { throw .malformed(path, "'\(key)' must be a number") }
        return value
    }

    /// The truth value under a key; `fallback` when the key is absent.
    func bool(_ key: String, else fallback: Bool) throws(CheckpointError) -> Bool {
        guard let found = json[key] else { return fallback }
        guard case .bool(let flag) = found else { throw .malformed(path, "'\(key)' must be true or false") }
        return flag
    }

    /// The list of numbers under a key of `object`.
    func floats(_ key: String, in object: JSONValue) throws(CheckpointError) -> [Float] {
        guard case .array(let elements) = object[key] else { throw missing(key) }
        var result: [Float] = []
        for element in elements {
            guard let value = element.double else { throw .malformed(path, "'\(key)' must be a list of numbers") }
            result.append(Float(value))
        }
        return result
    }

    private func bounded(_ key: String, _ value: Int, _ range: ClosedRange<Int>) throws(CheckpointError) -> Int {
        guard range.contains(value) else {
            throw .malformed(
                path, "'\(key)' is \(value), but must lie between \(range.lowerBound) and \(range.upperBound)")
        }
        return value
    }

    private func missing(_ key: String) -> CheckpointError {
        .missing(path, "'\(key)' is missing; fetch the complete model")
    }
}
