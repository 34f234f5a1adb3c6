/// A request as the engine sees it: token ids, no text.
public struct GenerationRequest: Hashable, Sendable {
    /// Names the request in logs; two may have the same name.
    public var id: RequestID
    public var prompt: [Int32]
    /// Tokens of the answer that the client already has (per the single choice), when a stream is resumed.
    public var generated: [Int32]
    /// How many answers are wanted; each is its own choice.
    public var choiceCount: Int
    /// The most tokens per choice; nil means up to the end of the context. 0 scores the prompt only.
    public var maxTokens: Int?
    public var sampling: SamplingParameters
    /// Drawn once at admission when nil.
    public var seed: UInt64?
    /// Go on through the model's end tokens.
    public var ignoreEndOfSequence: Bool
    /// Further token ids that end a choice; the ending token is reported like any other.
    public var stopTokens: [Int32]
    /// Alternatives to report per generated token (0 is allowed); nil for no log-probabilities.
    public var logprobCount: Int?
    /// Alternatives to report per prompt token (0 is allowed); nil for none.
    public var promptLogprobCount: Int?
    /// The longest the whole request may take, in milliseconds; nil for the coordinator's default.
    public var timeoutMilliseconds: Int?
    /// Who asks, at most 256 bytes: clients of equal priority share the cluster fairly. Requests without a name are one
    /// client's. Whoever has an API key is known by its name instead.
    public var client: String
    /// Lower ones come first; fairness between clients begins among equals. Within 32 bits.
    public var priority: Int
    /// Only requests with an equal one (1 to 256 bytes, or none) share cached prefixes, so that nobody learns from the
    /// time that an answer takes what others asked.
    public var cacheSalt: String?
    /// What every answer must keep to; it then ends where the grammar allows it.
    public var grammar: GrammarConstraint?
    /// Whether the mean of the prompt's last hidden states is wanted, and nothing else: `maxTokens` is 0 then.
    public var wantsEmbedding: Bool
    /// Of the client's API key, by which it is known and limited; nil when it showed none.
    public var key: KeyHash?
    /// The trace that the request is part of, for logs.
    public var trace: TraceContext?

    public init(
        id: RequestID, prompt: [Int32], generated: [Int32] = [], choiceCount: Int = 1, maxTokens: Int? = nil,
        sampling: SamplingParameters = SamplingParameters(), seed: UInt64? = nil, ignoreEndOfSequence: Bool = false,
        stopTokens: [Int32] = [], logprobCount: Int? = nil, promptLogprobCount: Int? = nil,
        timeoutMilliseconds: Int? = nil, client: String = "", priority: Int = 0, cacheSalt: String? = nil,
        grammar: GrammarConstraint? = nil, wantsEmbedding: Bool = false, key: KeyHash? = nil,
        trace: TraceContext? = nil
    ) {
        self.id = id
        self.prompt = prompt
        self.generated = generated
        self.choiceCount = choiceCount
        self.maxTokens = maxTokens
        self.sampling = sampling
        self.seed = seed
        self.ignoreEndOfSequence = ignoreEndOfSequence
        self.stopTokens = stopTokens
        self.logprobCount = logprobCount
        self.promptLogprobCount = promptLogprobCount
        self.timeoutMilliseconds = timeoutMilliseconds
        self.client = client
        self.priority = priority
        self.cacheSalt = cacheSalt
        self.grammar = grammar
        self.wantsEmbedding = wantsEmbedding
        self.key = key
        self.trace = trace
    }
}
