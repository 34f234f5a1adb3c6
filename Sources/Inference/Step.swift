/// The sampler's state of a sequence, sent whole when the sequence is admitted (again).
public struct SequenceAdmission: Hashable, Sendable {
    public let sequence: SequenceID
    public let prompt: [Int32]
    /// Tokens generated before this admission, when a sequence is replayed or resumed.
    public let generated: [Int32]
    public let sampling: SamplingParameters
    public let seed: UInt64
    public let choice: Int
    /// Alternatives to report per sampled token; nil when no log-probabilities are wanted.
    public let logprobCount: Int?
    /// Alternatives to report per prompt token; nil when no prompt log-probabilities are wanted.
    public let promptLogprobCount: Int?
    /// The request that the sequence belongs to and its trace (without `state`), for logs.
    public let request: RequestID
    public let trace: TraceContext?

    public init(
        sequence: SequenceID, prompt: [Int32], generated: [Int32], sampling: SamplingParameters, seed: UInt64,
        choice: Int, logprobCount: Int?, promptLogprobCount: Int?, request: RequestID = RequestID(""),
        trace: TraceContext? = nil
    ) {
        self.sequence = sequence
        self.prompt = prompt
        self.generated = generated
        self.sampling = sampling
        self.seed = seed
        self.choice = choice
        self.logprobCount = logprobCount
        self.promptLogprobCount = promptLogprobCount
        self.request = request
        self.trace = trace
    }
}

/// The unit of work of the pipeline. Steps of an epoch are numbered from 0 and run in order, each at most once.
public struct Step: Hashable, Sendable {
    public let epoch: Epoch
    public let number: UInt64
    /// Sequences whose sampler state begins with this step.
    public let admissions: [SequenceAdmission]
    public let slices: [Slice]
    /// Sequences that end before this step: their page tables and sampler states may be forgotten.
    public let retired: [SequenceID]

    public init(
        epoch: Epoch, number: UInt64, admissions: [SequenceAdmission], slices: [Slice], retired: [SequenceID]
    ) {
        self.epoch = epoch
        self.number = number
        self.admissions = admissions
        self.slices = slices
        self.retired = retired
    }

    /// Rows of hidden state in all slices together.
    public var rowCount: Int { slices.reduce(0) { $0 + $1.rowCount } }
}

/// A step on its way from one stage to the next: the step itself and its rows of hidden state.
public struct Activation: Sendable {
    public let step: Step
    /// Row-major, `step.rowCount` x hidden size, float32 little-endian.
    public let rows: [UInt8]

    public init(step: Step, rows: [UInt8]) {
        self.step = step
        self.rows = rows
    }
}

/// What the last stage found for one slice.
public struct SliceResult: Hashable, Sendable {
    public let sequence: SequenceID
    /// The token sampled after the slice's last row, when it was asked for. Its `logprob` is always there.
    public let sampled: ScoredToken?
    /// The position of the first prompt token in `promptTokens`.
    public let firstPromptPosition: Int
    /// Scored prompt tokens, one per row whose successor belongs to the prompt.
    public let promptTokens: [ScoredToken]
    /// The mean of the prompt's last hidden states after the final norm, as many numbers as a row has; nil unless the slice
    /// asks for it and ends the prompt.
    public let embedding: [Float]?

    public init(
        sequence: SequenceID, sampled: ScoredToken?, firstPromptPosition: Int, promptTokens: [ScoredToken],
        embedding: [Float]? = nil
    ) {
        self.sequence = sequence
        self.sampled = sampled
        self.firstPromptPosition = firstPromptPosition
        self.promptTokens = promptTokens
        self.embedding = embedding
    }
}

/// The last stage's answer to a step, in the order of the step's slices (those that ask for output).
public struct StepResult: Hashable, Sendable {
    public let epoch: Epoch
    public let number: UInt64
    public let slices: [SliceResult]

    public init(epoch: Epoch, number: UInt64, slices: [SliceResult]) {
        self.epoch = epoch
        self.number = number
        self.slices = slices
    }
}
