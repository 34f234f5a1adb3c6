public import Inference

/// The bounds that a request is held against before it is queued.
public enum RequestLimits {
    public static let choiceCount = 1...128
    /// Alternatives per token.
    public static let logprobCount = 0...20
    public static let logitBiasCount = 1024
    public static let stopTokenCount = 256
    public static let temperature: ClosedRange<Float> = 0...100
    public static let penalty: ClosedRange<Float> = -2...2
    public static let repetitionPenalty: ClosedRange<Float> = 0.01...100
    public static let logitBias: ClosedRange<Float> = -100...100
    public static let timeoutMilliseconds = 1...86_400_000
    public static let priority = Int(Int32.min)...Int(Int32.max)
    public static let clientByteCount = 0...256
    public static let cacheSaltByteCount = 1...256
}

extension SchedulerConfiguration {
    /// Throws `EngineError` (`invalidRequest` or `contextOverflow`) that names the field and the bound.
    public func validate(_ request: GenerationRequest) throws(EngineError) {
        guard !request.prompt.isEmpty else { throw .invalid("the prompt is empty", "prompt") }
        try requireTokens(request.prompt, "prompt")
        try requireTokens(request.generated, "generated")
        try requireTokens(request.stopTokens, "stop_token_ids")
        try require(request.stopTokens.count, 0...RequestLimits.stopTokenCount, "stop_token_ids", "number of tokens")
        try require(request.choiceCount, RequestLimits.choiceCount, "n")
        if !request.generated.isEmpty && request.choiceCount != 1 {
            throw .invalid("a resumed request has one choice, not \(request.choiceCount)", "n")
        }
        if let maxTokens = request.maxTokens, maxTokens < 0 {
            throw .invalid("max_tokens is \(maxTokens), it must be 0 or more", "max_tokens")
        }
        if request.grammar != nil && request.ignoreEndOfSequence {
            throw .invalid("an answer that keeps to a grammar ends with it, so it cannot go on", "ignore_eos")
        }
        if let count = request.logprobCount { try require(count, RequestLimits.logprobCount, "logprobs") }
        if let count = request.promptLogprobCount { try require(count, RequestLimits.logprobCount, "prompt_logprobs") }
        if let timeout = request.timeoutMilliseconds {
            try require(timeout, RequestLimits.timeoutMilliseconds, "timeout")
        }
        try require(request.priority, RequestLimits.priority, "priority")
        try require(request.client.utf8.count, RequestLimits.clientByteCount, "user", "number of bytes")
        if let salt = request.cacheSalt {
            try require(salt.utf8.count, RequestLimits.cacheSaltByteCount, "cache_salt", "number of bytes")
        }
        try validate(request.sampling)
        if request.wantsEmbedding { try validateEmbedding(request) }
        try validateLength(request)
    }

    /// An embedding is of a prompt, and all that its request brings.
    private func validateEmbedding(_ request: GenerationRequest) throws(EngineError) {
        guard request.maxTokens == 0, request.generated.isEmpty, request.choiceCount == 1 else {
            throw .invalid("an embedding has no answer: max_tokens is 0, n is 1", "max_tokens")
        }
        guard request.promptLogprobCount == nil else {
            throw .invalid("an embedding does not go with scores of the prompt", "prompt_logprobs")
        }
    }

    private func validate(_ sampling: SamplingParameters) throws(EngineError) {
        try require(sampling.temperature, RequestLimits.temperature, "temperature")
        try require(sampling.topK, 0...Int(Int32.max), "top_k")
        guard sampling.topP > 0, sampling.topP <= 1 else {
            throw .invalid("top_p is \(sampling.topP), it must be above 0 and at most 1", "top_p")
        }
        try require(sampling.minP, 0...1, "min_p")
        try require(sampling.presencePenalty, RequestLimits.penalty, "presence_penalty")
        try require(sampling.frequencyPenalty, RequestLimits.penalty, "frequency_penalty")
        try require(sampling.repetitionPenalty, RequestLimits.repetitionPenalty, "repetition_penalty")
        let biases = sampling.logitBias
        try require(biases.count, 0...RequestLimits.logitBiasCount, "logit_bias", "number of entries")
        try requireTokens(biases.map(\.token), "logit_bias")
        for bias in biases { try require(bias.bias, RequestLimits.logitBias, "logit_bias") }
        for (left, right) in zip(biases, biases.dropFirst()) where left.token == right.token {
            throw .invalid("logit_bias names token \(left.token) twice", "logit_bias")
        }
    }

    /// The prompt must leave room for what is asked for; nothing is ever cut silently.
    private func validateLength(_ request: GenerationRequest) throws(EngineError) {
        let promptCount = request.prompt.count
        let wantedCount = request.maxTokens ?? 1
        if let maxTokens = request.maxTokens, request.generated.count > maxTokens {
            throw .invalid(
                "\(request.generated.count) tokens are generated already, more than max_tokens (\(maxTokens))",
                "max_tokens")
        }
        let (totalCount, overflow) = promptCount.addingReportingOverflow(max(wantedCount, request.generated.count))
        guard overflow || totalCount > contextLength else { return }
        let answer = request.maxTokens.map { "\($0) for the answer" } ?? "at least 1 for the answer"
        throw EngineError(
            code: .contextOverflow,
            message: "This model's context length is \(contextLength) tokens, but the request needs "
                + "\(promptCount) for the prompt and \(answer). Shorten the prompt or lower max_tokens.",
            parameter: promptCount >= contextLength ? "prompt" : "max_tokens")
    }

    private func requireTokens(_ tokens: [Int32], _ parameter: String) throws(EngineError) {
        for token in tokens where token < 0 || Int(token) >= vocabularySize {
            throw .invalid("token \(token) is outside of the vocabulary (0 to \(vocabularySize - 1))", parameter)
        }
    }

    /// NaN lies in no range.
    private func require<Number: Comparable>(
        _ value: Number, _ range: ClosedRange<Number>, _ parameter: String, _ what: String = "value"
    ) throws(EngineError) {
        guard range.contains(value) else {
            throw .invalid(
                "\(parameter): the \(what) is \(value), it must be between \(range.lowerBound) and "
                    + "\(range.upperBound)", parameter)
        }
    }
}

extension EngineError {
    fileprivate static func invalid(_ message: String, _ parameter: String) -> EngineError {
        EngineError(code: .invalidRequest, message: message, parameter: parameter)
    }
}
