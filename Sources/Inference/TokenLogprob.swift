/// A token and the natural logarithm of its probability under the raw logits (before temperature and filters).
public struct TokenLogprob: Hashable, Sendable {
    public let token: Int32
    public let logprob: Float

    public init(token: Int32, logprob: Float) {
        self.token = token
        self.logprob = logprob
    }
}

/// A token at one position with the likeliest alternatives, likeliest first.
public struct ScoredToken: Hashable, Sendable {
    public let token: Int32
    public let logprob: Float
    /// As many as were asked for; the token itself is among them only if it is that likely.
    public let top: [TokenLogprob]

    public init(token: Int32, logprob: Float, top: [TokenLogprob]) {
        self.token = token
        self.logprob = logprob
        self.top = top
    }
}
