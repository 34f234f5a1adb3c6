/// Why a choice ended.
public enum FinishReason: String, Sendable, Hashable, Codable {
    /// An end token or a stop token or string.
    case stop
    /// `maxTokens` or the end of the context.
    case length
    /// The client went away or asked for it.
    case cancelled
}

/// What a request cost.
public struct GenerationUsage: Hashable, Sendable, Codable {
    public var promptTokenCount: Int
    /// Prompt tokens whose keys and values were still there.
    public var cachedTokenCount: Int
    public var completionTokenCount: Int
    /// Waiting before the first step, in milliseconds.
    public var queueMilliseconds: Double
    /// From the first step to the first token, in milliseconds.
    public var prefillMilliseconds: Double
    /// From the first token to the last, in milliseconds.
    public var decodeMilliseconds: Double

    public init(
        promptTokenCount: Int, cachedTokenCount: Int, completionTokenCount: Int, queueMilliseconds: Double,
        prefillMilliseconds: Double, decodeMilliseconds: Double
    ) {
        self.promptTokenCount = promptTokenCount
        self.cachedTokenCount = cachedTokenCount
        self.completionTokenCount = completionTokenCount
        self.queueMilliseconds = queueMilliseconds
        self.prefillMilliseconds = prefillMilliseconds
        self.decodeMilliseconds = decodeMilliseconds
    }
}

/// What happens to a request, in order. The stream ends after `.completed`, or throws an `EngineError`.
public enum GenerationEvent: Hashable, Sendable {
    /// The request waits; so many are before it.
    case queued(ahead: Int)
    /// So many of the prompt's tokens are computed.
    case prefilled(tokenCount: Int, of: Int)
    /// The scores of prompt tokens from position 1 on, complete, before the first token.
    case promptLogprobs([ScoredToken])
    /// The mean of the prompt's last hidden states after the final norm: as many numbers as the model's rows have.
    case embedding([Float])
    /// The next token of a choice. An end or stop token is reported too, before `.finished`.
    case token(choice: Int, ScoredToken)
    /// A choice is complete.
    case finished(choice: Int, FinishReason)
    /// All choices are complete.
    case completed(GenerationUsage)
}

/// A running request.
public struct GenerationStream: Sendable {
    /// Ending the iteration early cancels the request. At most as many events wait here as the request has tokens.
    public let events: AsyncThrowingStream<GenerationEvent, any Error>
    /// Ends one choice (a stop string was found); it then reports `.finished(choice, .cancelled)`.
    public let cancelChoice: @Sendable (Int) -> Void
    /// What the client may still ask for after this request; nil when nothing limits it.
    public let limits: RateLimits?

    public init(
        events: AsyncThrowingStream<GenerationEvent, any Error>, limits: RateLimits? = nil,
        cancelChoice: @escaping @Sendable (Int) -> Void
    ) {
        self.events = events
        self.limits = limits
        self.cancelChoice = cancelChoice
    }
}
