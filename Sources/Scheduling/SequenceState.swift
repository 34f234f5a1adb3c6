import Inference

/// One choice of a request on its way through the pipeline.
struct SequenceState: Sendable {
    enum Phase: Sendable {
        /// Holds nothing; its turn comes (again).
        case waiting
        case running
    }

    let id: SequenceID
    let ticket: RequestTicket
    let choice: Int
    let seed: UInt64
    /// Tokens of the answer so far; a resumed request begins with some.
    var generated: [Int32]
    var phase = Phase.waiting

    /// Pages that cover positions from 0 on, in logical order.
    var pages: [PageID] = []
    /// Pages that the sequence may come to need; promised to it while it runs.
    var reservedPageCount = 0
    /// The stages hold no state of the sequence, or it begins again: the next slice brings an admission and all pages.
    var needsAdmission = true
    /// Positions whose rows are sent to the pipeline.
    var sentPositionCount = 0
    var regime = RopeRegime.short
    /// A sample is on its way; the next row is not known before.
    var awaitsSample = false
    /// All rows that score the prompt are sent (or nobody asked for scores).
    var scoresAreSent: Bool

    /// Promised pages that are not in use yet.
    var unallocatedPageCount: Int { max(0, reservedPageCount - pages.count) }

    /// Gives everything in the pipeline up, to be computed again from position 0.
    mutating func restart(scoresAreSent: Bool) {
        pages = []
        reservedPageCount = 0
        needsAdmission = true
        sentPositionCount = 0
        awaitsSample = false
        self.scoresAreSent = scoresAreSent
    }
}

/// A request and what it has cost so far.
struct RequestState: Sendable {
    let ticket: RequestTicket
    let request: GenerationRequest
    /// One per choice, in order.
    let sequences: [SequenceID]
    let submittedMilliseconds: Double
    let deadlineMilliseconds: Double?
    var firstStepMilliseconds: Double?
    var firstTokenMilliseconds: Double?
    var lastTokenMilliseconds: Double?
    var unfinishedChoiceCount: Int
    /// Tokens of all answers together.
    var answerTokenCount: Int
    /// Scores of prompt tokens from position 1 on, as far as they came.
    var promptScores: [ScoredToken] = []
    var scoresAreComplete: Bool

    /// The most tokens of an answer.
    func answerLimit(contextLength: Int) -> Int {
        min(request.maxTokens ?? Int.max, contextLength - request.prompt.count)
    }
}

/// A step that was sent and not answered yet.
struct StepInFlight: Sendable {
    struct SliceInFlight: Sendable {
        let sequence: SequenceID
        let firstPosition: Int
        let rowCount: Int
        let outputs: SliceOutputs
        /// The sequence's length that the slice works towards, for progress; nil for a decode token.
        let prefillGoal: Int?
    }

    let number: UInt64
    let slices: [SliceInFlight]
}
