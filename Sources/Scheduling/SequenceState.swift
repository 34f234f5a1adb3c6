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
    let client: String
    let rank: SequenceRank
    let seed: UInt64
    /// Tokens of the answer so far; a resumed request begins with some.
    var generated: [Int32]
    var phase = Phase.waiting

    /// Pages that cover positions from 0 on, in logical order. Those that hold a cached prefix are shared.
    var pages: [PageID] = []
    /// So many of the pages are in the stages' page tables.
    var announcedPageCount = 0
    /// So many of the pages, all full, are in the prefix cache; the last of them is `lastBlock` there.
    var rememberedPageCount = 0
    var lastBlock = PrefixBlockID.root
    /// The sequence begins (again): the next slice brings an admission and all pages.
    var needsAdmission = true
    /// The admission that is due changes nothing: stages that hold the pages are told of the sequence.
    var isAnnouncedAnew = false
    /// The stages hold something of the sequence, to be retired.
    var isKnownToStages = false
    /// Positions whose rows are sent to the pipeline, or were there already.
    var sentPositionCount = 0
    var regime = RopeRegime.short
    /// A sample is on its way; the next row is not known before.
    var awaitsSample = false
    /// All rows that score the prompt, or make its embedding, are sent (or nobody asked for either).
    var scoresAreSent: Bool
    /// Rises whenever the sequence is put back; tells the answers to what was sent before.
    var incarnation = 0
    /// When the sequence last took part in a step, for fairness.
    var turn: UInt64 = 0

    /// Gives everything in the pipeline up, to be computed again from position 0.
    mutating func restart(scoresAreSent: Bool) {
        pages = []
        announcedPageCount = 0
        rememberedPageCount = 0
        lastBlock = .root
        needsAdmission = true
        isAnnouncedAnew = false
        sentPositionCount = 0
        awaitsSample = false
        self.scoresAreSent = scoresAreSent
    }

    /// The stages hold the pages, but know nothing of the sequence.
    mutating func announceAnew() {
        isAnnouncedAnew = isAnnouncedAnew || !needsAdmission
        needsAdmission = true
        isKnownToStages = false
        announcedPageCount = 0
    }

    /// The token at a position of prompt or answer.
    func token(at position: Int, prompt: [Int32]) -> Int32 {
        position < prompt.count ? prompt[position] : generated[position - prompt.count]
    }

    /// The tokens of a full logical page.
    func tokens(ofPage page: Int, prompt: [Int32]) -> [Int32] {
        let positions = page * KVPage.positionCount..<(page + 1) * KVPage.positionCount
        return positions.map { token(at: $0, prompt: prompt) }
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
    /// Prompt tokens that were there already when the first choice began; nil before.
    var cachedTokenCount: Int?
    /// Scores of prompt tokens from position 1 on, as far as they came.
    var promptScores: [ScoredToken] = []
    /// Nothing is wanted of the prompt any more, neither scores nor its embedding.
    var scoresAreComplete: Bool
    /// Nil for requests that no failure is laid to.
    var suspicion: Suspicion?

    /// The most tokens of an answer.
    func answerLimit(contextLength: Int) -> Int {
        min(request.maxTokens ?? Int.max, contextLength - request.prompt.count)
    }
}

/// A step that was sent and not answered yet.
struct StepInFlight: Sendable {
    struct SliceInFlight: Sendable {
        let sequence: SequenceID
        let incarnation: Int
        let firstPosition: Int
        let rowCount: Int
        let outputs: SliceOutputs
        /// The sequence's length that the slice works towards, for progress; nil for a decode token.
        let prefillGoal: Int?
        /// What may be sampled; nil for everything.
        var mask: TokenMask?
    }

    let number: UInt64
    let sentMilliseconds: Double
    let slices: [SliceInFlight]
}
