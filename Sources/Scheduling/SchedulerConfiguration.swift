public import Inference

/// What the scheduler must know of the model, and its limits.
public struct SchedulerConfiguration: Hashable, Sendable {
    /// The most tokens, prompt and answer together, that a sequence may have.
    public var contextLength: Int
    /// Token ids are below this.
    public var vocabularySize: Int
    /// The model's own end tokens.
    public var endOfSequenceTokens: Set<Int32>
    /// Where LongRoPE changes its factors; nil for models without it.
    public var originalContextLength: Int?
    /// Use LongRoPE's long factors from the first token on (`--rope long`).
    public var forcesLongRope: Bool
    /// The most rows in a step, all slices together.
    public var maxRowCount: Int
    /// The most rows of one prompt in a step.
    public var prefillChunkRowCount: Int
    /// The most rows of all prompts in a step while other sequences decode, whose pace they set; fewer where so many
    /// would stretch it too far (`PaceMeter`).
    public var pacedChunkRowCount: Int
    /// Requests that may wait; one more is refused as overloaded, unless its client has none that waits. Twice as many
    /// never wait.
    public var waitingRequestLimit: Int
    /// Sequences that are computed at the same time.
    public var runningSequenceLimit: Int
    /// How long a request may take that does not say so itself; nil for no bound.
    public var defaultTimeoutMilliseconds: Int?

    public init(
        contextLength: Int, vocabularySize: Int, endOfSequenceTokens: Set<Int32>, originalContextLength: Int? = nil,
        forcesLongRope: Bool = false, maxRowCount: Int = 512, prefillChunkRowCount: Int? = nil,
        pacedChunkRowCount: Int? = nil, waitingRequestLimit: Int = 256, runningSequenceLimit: Int = 32,
        defaultTimeoutMilliseconds: Int? = nil
    ) {
        precondition(contextLength > 0 && vocabularySize > 0 && maxRowCount > 0)
        precondition(waitingRequestLimit >= 0 && runningSequenceLimit > 0)
        precondition(prefillChunkRowCount ?? 1 > 0 && pacedChunkRowCount ?? 1 > 0, "a chunk has at least one row")
        self.contextLength = contextLength
        self.vocabularySize = vocabularySize
        self.endOfSequenceTokens = endOfSequenceTokens
        self.originalContextLength = originalContextLength
        self.forcesLongRope = forcesLongRope
        self.maxRowCount = maxRowCount
        self.prefillChunkRowCount = min(prefillChunkRowCount ?? maxRowCount, maxRowCount)
        // So few rows cost a step hardly more than one: it is the weights that take the time.
        let quarter = max(self.prefillChunkRowCount / 4, PaceMeter.leastRowCount)
        self.pacedChunkRowCount = min(pacedChunkRowCount ?? quarter, self.prefillChunkRowCount)
        self.waitingRequestLimit = waitingRequestLimit
        self.runningSequenceLimit = runningSequenceLimit
        self.defaultTimeoutMilliseconds = defaultTimeoutMilliseconds
    }

    /// The regime of a forward pass whose last row is at position `length - 1`, as in transformers: long factors hold
    /// once the sequence is longer than the original context.
    public func regime(length: Int) -> RopeRegime {
        guard let originalContextLength else { return .short }
        return forcesLongRope || length > originalContextLength ? .long : .short
    }
}
