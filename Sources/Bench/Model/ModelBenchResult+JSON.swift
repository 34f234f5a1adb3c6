import Inference

extension ModelBenchResult: Encodable {
    private enum Keys: String, CodingKey {
        case model, isa, threads, chunk, depth, limits, prefill, decode
        case kvType = "kv_type"
        case promptTokens = "prompt_tokens"
        case generatedTokens = "generated_tokens"
        case loadSeconds = "load_seconds"
        case weightBytes = "weight_bytes"
        case stepWeightBytes = "weight_bytes_per_step"
        case prefillTokensPerSecond = "prefill_tokens_per_second"
        case prefillFraction = "prefill_fraction_of_int8_peak"
        case prefillRounds = "prefill_rounds"
    }

    private struct Round: Encodable {
        let tokensPerSecond: Double
        let othersFraction: Double?

        enum CodingKeys: String, CodingKey {
            case tokensPerSecond = "tokens_per_second"
            case othersFraction = "others_fraction_of_processors"
        }

        init(_ round: Measurement, tokenCount: Int) {
            tokensPerSecond = Double(tokenCount) / round.seconds
            othersFraction = round.othersFraction
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(tokensPerSecond, forKey: .tokensPerSecond)
            try container.encode(othersFraction, forKey: .othersFraction)
        }
    }

    private struct DecodeEntry: Encodable {
        let streams: Int
        let tokensPerSecond: Double
        let fractionOfBandwidth: Double
        let rounds: [Round]

        enum CodingKeys: String, CodingKey {
            case streams, rounds
            case tokensPerSecond = "tokens_per_second"
            case fractionOfBandwidth = "fraction_of_bandwidth"
        }

        init(_ decode: Decode, limits: MachineLimits) {
            streams = decode.streamCount
            tokensPerSecond = decode.tokensPerSecond
            fractionOfBandwidth = decode.fraction(of: limits)
            rounds = decode.rounds.map { Round($0, tokenCount: decode.tokenCount) }
        }
    }

    /// All keys are always there; what was left out is null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(modelName, forKey: .model)
        try container.encode(isa, forKey: .isa)
        try container.encode(plan.threadCount, forKey: .threads)
        try container.encode(plan.kvType.name, forKey: .kvType)
        try container.encode(plan.promptCount, forKey: .promptTokens)
        try container.encode(plan.generatedCount, forKey: .generatedTokens)
        try container.encode(plan.depth, forKey: .depth)
        try container.encode(plan.chunkRowCount, forKey: .chunk)
        try container.encode(loadSeconds, forKey: .loadSeconds)
        try container.encode(weightByteCount, forKey: .weightBytes)
        try container.encode(stepWeightByteCount, forKey: .stepWeightBytes)
        try container.encode(prefill?.tokensPerSecond, forKey: .prefillTokensPerSecond)
        try container.encode(prefill?.fraction(of: limits), forKey: .prefillFraction)
        try container.encode(
            prefill.map { prefill in prefill.rounds.map { Round($0, tokenCount: prefill.tokenCount) } },
            forKey: .prefillRounds)
        try container.encode(decode.map { DecodeEntry($0, limits: limits) }, forKey: .decode)
        try container.encode(limits, forKey: .limits)
    }
}
