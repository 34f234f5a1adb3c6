import Inference

/// What completions and chat completions have in common.
struct SharedParameters: Hashable, Sendable {
    /// The model that the client asked for; nil means whatever is served, as in vLLM.
    var model: String?
    var choiceCount: Int
    var sampling: SamplingParameters
    var seed: UInt64?
    var stops: [String]
    var stopTokens: [Int32]
    var ignoreEndOfSequence: Bool
    var isStreamed: Bool
    /// Whether a stream ends with a chunk that holds the usage.
    var includesUsage: Bool
    /// vLLM's extension: the answer carries the token ids.
    var returnsTokenIDs: Bool
    /// What the answer must keep to; nil for any text.
    var format: AnswerFormat?
    /// vLLM's extension: lower ones come first.
    var priority: Int
    /// vLLM's extension: only requests with an equal one share cached prefixes.
    var cacheSalt: String?
    var labels: ClientLabels

    static let maxStopCount = 4
    static let maxStopByteCount = 1024
    static let maxStopTokenCount = 128
    static let maxLogitBiasCount = 4096
    static let maxSaltByteCount = 240

    /// Reads the parameters; throws an `APIError` that names the first wrong one.
    init(_ fields: RequestFields, configuration: GatewayConfiguration) throws {
        try UnsupportedParameters.check(fields)
        model = try fields.string("model").flatMap { $0.isEmpty ? nil : $0 }
        choiceCount = try fields.integer("n", 1...configuration.maxChoiceCount) ?? 1
        if let bestOf = try fields.integer("best_of", 1...configuration.maxChoiceCount), bestOf != choiceCount {
            throw APIError.invalid("best_of", "'best_of' is only supported when it equals 'n' (\(choiceCount)).")
        }
        sampling = try Self.sampling(fields)
        seed = try Self.seed(fields)
        stops = try Self.stops(fields)
        stopTokens = try Self.tokens("stop_token_ids", try fields.array("stop_token_ids") ?? [])
        guard stopTokens.count <= Self.maxStopTokenCount else {
            throw APIError.invalid("stop_token_ids", "'stop_token_ids' may hold at most \(Self.maxStopTokenCount) ids.")
        }
        ignoreEndOfSequence = try fields.bool("ignore_eos") ?? false
        isStreamed = try fields.bool("stream") ?? false
        includesUsage = false
        if let options = try fields.object("stream_options") {
            guard isStreamed else {
                throw APIError.invalid("stream_options", "'stream_options' is only allowed when 'stream' is true.")
            }
            let options = RequestFields(object: options)
            includesUsage = try options.bool("include_usage") ?? false
            if try options.bool("include_obfuscation") == true {
                throw APIError.invalid(
                    "stream_options.include_obfuscation",
                    "'stream_options.include_obfuscation' is not supported by this server; leave it out.")
            }
        }
        returnsTokenIDs = try fields.bool("return_token_ids") ?? false
        format = try AnswerFormat(fields)
        priority = try fields.integer("priority", Int(Int32.min)...Int(Int32.max)) ?? 0
        cacheSalt = try Self.cacheSalt(fields)
        labels = try ClientLabels(fields)
    }

    /// A string that is compared as a whole: short, and without the character that ends strings in C.
    private static func cacheSalt(_ fields: RequestFields) throws -> String? {
        guard let salt = try fields.string("cache_salt") else { return nil }
        guard (1...maxSaltByteCount).contains(salt.utf8.count), !salt.utf8.contains(0) else {
            throw APIError.invalid(
                "cache_salt",
                "'cache_salt' must have 1 to \(maxSaltByteCount) bytes, none of them 0; leave it out to share the cache."
            )
        }
        return salt
    }

    /// One choice in the terms of another API.
    init(model: String?, sampling: SamplingParameters, seed: UInt64? = nil, stops: [String], isStreamed: Bool) {
        self.model = model
        choiceCount = 1
        self.sampling = sampling
        self.seed = seed
        self.stops = stops
        stopTokens = []
        ignoreEndOfSequence = false
        self.isStreamed = isStreamed
        includesUsage = false
        returnsTokenIDs = false
        priority = 0
        cacheSalt = nil
        labels = ClientLabels()
    }

    private static func sampling(_ fields: RequestFields) throws -> SamplingParameters {
        // vLLM writes "all" as -1, llama.cpp as 0.
        let topK = try fields.integer("top_k", -1...Int(Int32.max)) ?? 0
        return SamplingParameters(
            temperature: try fields.number("temperature", 0...2) ?? 1,
            topK: max(topK, 0),
            topP: try fields.number("top_p", 0...1, above: true) ?? 1,
            minP: try fields.number("min_p", 0...1) ?? 0,
            presencePenalty: try fields.number("presence_penalty", -2...2) ?? 0,
            frequencyPenalty: try fields.number("frequency_penalty", -2...2) ?? 0,
            repetitionPenalty: try fields.number("repetition_penalty", 0...100, above: true) ?? 1,
            logitBias: try logitBias(fields))
    }

    private static func logitBias(_ fields: RequestFields) throws -> [LogitBias] {
        guard let object = try fields.object("logit_bias") else { return [] }
        guard object.members.count <= maxLogitBiasCount else {
            throw APIError.invalid("logit_bias", "'logit_bias' may hold at most \(maxLogitBiasCount) tokens.")
        }
        var biases: [Int32: Float] = [:]
        for member in object.members {
            guard let token = Int32(member.key), token >= 0 else {
                throw APIError.invalid("logit_bias", "The keys of 'logit_bias' must be token ids in decimal.")
            }
            guard let bias = member.value.number, (-100...100).contains(bias) else {
                throw APIError.invalid("logit_bias", "The values of 'logit_bias' must be numbers from -100 to 100.")
            }
            guard biases.updateValue(Float(bias), forKey: token) == nil else {
                throw APIError.invalid("logit_bias", "Token \(token) comes twice in 'logit_bias'.")
            }
        }
        return biases.map { LogitBias(token: $0.key, bias: $0.value) }
    }

    /// Any signed integer is a seed; its bits count.
    static func seed(_ fields: RequestFields) throws -> UInt64? {
        guard let value = fields["seed"] else { return nil }
        guard let seed = value.integer else { throw fields.wrongType("seed", value, "a 64-bit integer") }
        return UInt64(bitPattern: seed)
    }

    static func stops(
        _ fields: RequestFields, _ name: String = "stop", maxCount: Int = maxStopCount
    ) throws -> [String] {
        guard let value = fields[name] else { return [] }
        let values: [JSONValue]
        switch value {
        case .string: values = [value]
        case .array(let array): values = array
        default: throw fields.wrongType(name, value, "a string or an array of strings")
        }
        guard values.count <= maxCount else {
            throw APIError.invalid(
                name, "'\(name)' may hold at most \(maxCount) strings, but it holds \(values.count).")
        }
        return try values.map { value in
            guard case .string(let stop) = value else {
                throw fields.wrongType(name, value, "a string or an array of strings")
            }
            guard !stop.isEmpty, stop.utf8.count <= maxStopByteCount else {
                throw APIError.invalid(name, "A stop string must have 1 to \(maxStopByteCount) bytes.")
            }
            return stop
        }
    }

    /// Token ids of a parameter, none of them negative.
    static func tokens(_ name: String, _ values: [JSONValue]) throws -> [Int32] {
        try values.map { value in
            guard let wide = value.integer, let token = Int32(exactly: wide), token >= 0 else {
                throw APIError.invalid(name, "'\(name)' must hold token ids: integers that are not negative.")
            }
            return token
        }
    }
}
