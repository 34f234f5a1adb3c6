/// How the next token is chosen from the logits. The defaults change nothing, as in the OpenAI API.
public struct SamplingParameters: Hashable, Sendable {
    /// 0 means greedy: the likeliest token, ties to the lowest id.
    public var temperature: Float
    /// Only the k likeliest tokens; 0 means all.
    public var topK: Int
    /// The smallest set of likeliest tokens with at least this probability; 1 means all.
    public var topP: Float
    /// Only tokens at least this fraction as likely as the likeliest; 0 means all.
    public var minP: Float
    /// Subtracted from the logit of each token generated so far, once.
    public var presencePenalty: Float
    /// Subtracted from the logit of each token generated so far, per occurrence.
    public var frequencyPenalty: Float
    /// Divides positive and multiplies negative logits of tokens in prompt or answer; 1 changes nothing.
    public var repetitionPenalty: Float
    /// Added to the logits of single tokens, ordered by id.
    public var logitBias: [LogitBias]

    public init(
        temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0, presencePenalty: Float = 0,
        frequencyPenalty: Float = 0, repetitionPenalty: Float = 1, logitBias: [LogitBias] = []
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.presencePenalty = presencePenalty
        self.frequencyPenalty = frequencyPenalty
        self.repetitionPenalty = repetitionPenalty
        self.logitBias = logitBias.sorted { $0.token < $1.token }
    }
}

/// What is added to the logit of one token.
public struct LogitBias: Hashable, Sendable {
    public let token: Int32
    public let bias: Float

    public init(token: Int32, bias: Float) {
        self.token = token
        self.bias = bias
    }
}
