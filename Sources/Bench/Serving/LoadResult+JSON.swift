extension LoadResult: Encodable {
    private enum Keys: String, CodingKey {
        case model, concurrency, seed, completed, failed, failures, seconds
        case requestRate = "request_rate"
        case requestedPromptTokens = "requested_prompt_tokens"
        case requestedOutputTokens = "requested_output_tokens"
        case sharedPrefixTokens = "shared_prefix_tokens"
        case shortAnswers = "short_answers"
        case promptTokens = "prompt_tokens"
        case cachedTokens = "cached_tokens"
        case outputTokens = "output_tokens"
        case tokensPerSecond = "total_tokens_per_second"
        case outputTokensPerSecond = "output_tokens_per_second"
        case requestsPerSecond = "requests_per_second"
        case timeToFirstToken = "time_to_first_token_ms"
        case timePerOutputToken = "time_per_output_token_ms"
        case gap = "gap_ms"
        case worstStream = "worst_stream"
    }

    private struct Milliseconds: Encodable {
        let mean, median, p90, p99, max: Double

        init(_ distribution: Distribution) {
            mean = distribution.mean * 1e3
            median = distribution.median * 1e3
            p90 = distribution.p90 * 1e3
            p99 = distribution.p99 * 1e3
            max = distribution.max * 1e3
        }
    }

    private struct Worst: Encodable {
        let p99: Double
        let toOwnMedian: Double
        let toMedian: Double

        enum CodingKeys: String, CodingKey {
            case p99 = "p99_gap_ms"
            case toOwnMedian = "p99_to_own_median"
            case toMedian = "p99_to_median_of_all"
        }
    }

    /// All keys are always there; what could not be measured is null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(model, forKey: .model)
        try container.encode(plan.concurrency, forKey: .concurrency)
        try container.encode(plan.requestsPerSecond, forKey: .requestRate)
        try container.encode(plan.promptTokenCount, forKey: .requestedPromptTokens)
        try container.encode(plan.outputTokenCount, forKey: .requestedOutputTokens)
        try container.encode(plan.sharedPrefixTokenCount, forKey: .sharedPrefixTokens)
        try container.encode(plan.seed, forKey: .seed)
        try container.encode(streams.count, forKey: .completed)
        try container.encode(failureCount, forKey: .failed)
        try container.encode(failures, forKey: .failures)
        try container.encode(shortAnswerCount, forKey: .shortAnswers)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(promptTokenCount, forKey: .promptTokens)
        try container.encode(cachedTokenCount, forKey: .cachedTokens)
        try container.encode(outputTokenCount, forKey: .outputTokens)
        try container.encode(tokensPerSecond, forKey: .tokensPerSecond)
        try container.encode(outputTokensPerSecond, forKey: .outputTokensPerSecond)
        try container.encode(requestsPerSecond, forKey: .requestsPerSecond)
        try container.encode(timeToFirstToken.map(Milliseconds.init), forKey: .timeToFirstToken)
        try container.encode(timePerOutputToken.map(Milliseconds.init), forKey: .timePerOutputToken)
        try container.encode(gaps.map(Milliseconds.init), forKey: .gap)
        try container.encode(
            worstStream.map { Worst(p99: $0.p99 * 1e3, toOwnMedian: $0.toOwnMedian, toMedian: $0.toMedian) },
            forKey: .worstStream)
    }
}
