import Inference

/// The JSON object that `phalanx generate --json` prints.
struct GenerateOutput: Encodable {
    struct Candidate: Encodable {
        let id: Int32
        let logprob: Float
    }

    struct Timings: Encodable {
        let queueMilliseconds: Double
        let prefillMilliseconds: Double
        let decodeMilliseconds: Double
        let promptTokensPerSecond: Double
        let tokensPerSecond: Double

        enum CodingKeys: String, CodingKey {
            case queueMilliseconds = "queue_ms"
            case prefillMilliseconds = "prefill_ms"
            case decodeMilliseconds = "decode_ms"
            case promptTokensPerSecond = "prompt_tokens_per_second"
            case tokensPerSecond = "tokens_per_second"
        }

        init(_ usage: GenerationUsage) {
            queueMilliseconds = usage.queueMilliseconds
            prefillMilliseconds = usage.prefillMilliseconds
            decodeMilliseconds = usage.decodeMilliseconds
            promptTokensPerSecond = Self.rate(usage.promptTokenCount, usage.prefillMilliseconds)
            // The first token belongs to the prefill.
            tokensPerSecond = Self.rate(usage.completionTokenCount - 1, usage.decodeMilliseconds)
        }

        private static func rate(_ count: Int, _ milliseconds: Double) -> Double {
            count > 0 && milliseconds > 0 ? Double(count) / milliseconds * 1000 : 0
        }
    }

    let promptIDs: [Int32]
    /// Nil unless log-probabilities were asked for; its first entry is null.
    var promptLogprobs: [Float?]?
    var ids: [Int32] = []
    var logprobs: [Float] = []
    var topLogprobs: [[Candidate]] = []
    var text = ""
    var finishReason = ""
    var timings: Timings?

    enum CodingKeys: String, CodingKey {
        case promptIDs = "prompt_ids"
        case promptLogprobs = "prompt_logprobs"
        case ids
        case logprobs
        case topLogprobs = "top_logprobs"
        case text
        case finishReason = "finish_reason"
        case timings
    }

    init(promptIDs: [Int32]) { self.promptIDs = promptIDs }

    /// All keys are always there; what was not asked for is null.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(promptIDs, forKey: .promptIDs)
        try container.encode(promptLogprobs, forKey: .promptLogprobs)
        try container.encode(ids, forKey: .ids)
        try container.encode(logprobs, forKey: .logprobs)
        try container.encode(topLogprobs, forKey: .topLogprobs)
        try container.encode(text, forKey: .text)
        try container.encode(finishReason, forKey: .finishReason)
        try container.encode(timings, forKey: .timings)
    }

    mutating func setPromptLogprobs(_ tokens: [ScoredToken]) {
        promptLogprobs = [nil] + tokens.map(\.logprob)
    }

    mutating func append(_ token: ScoredToken, text piece: String) {
        ids.append(token.token)
        logprobs.append(token.logprob)
        topLogprobs.append(token.top.map { Candidate(id: $0.token, logprob: $0.logprob) })
        text += piece
    }
}
