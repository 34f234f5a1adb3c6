/// What a client may still ask for, as it was when its request was taken or refused.
public struct RateLimits: Hashable, Sendable {
    /// So much per minute, given back evenly.
    public struct Allowance: Hashable, Sendable {
        /// The most at a time.
        public var limit: Int
        public var remaining: Int
        /// Until all of it is there again, if nothing else is asked.
        public var resetMilliseconds: Double

        public init(limit: Int, remaining: Int, resetMilliseconds: Double) {
            self.limit = limit
            self.remaining = remaining
            self.resetMilliseconds = resetMilliseconds
        }
    }

    /// Nil without a limit.
    public var requests: Allowance?
    /// Of prompts and answers together; nil without a limit.
    public var tokens: Allowance?

    public init(requests: Allowance? = nil, tokens: Allowance? = nil) {
        self.requests = requests
        self.tokens = tokens
    }
}
