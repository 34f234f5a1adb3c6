public import Inference

/// Turns requests into steps of the pipeline and the steps' results into events: a synchronous state machine.
///
/// It does no I/O, reads no clock and draws no random numbers: time (milliseconds on any steady clock) and the generator
/// are arguments. The shell calls `nextStep` until it returns nil whenever a request came or a result was applied, sends
/// the steps to stage 0, hands results to `apply`, and forwards what `takeEvents` returns.
///
/// - Sequences begin by priority, then fairly between clients (`ClientShares`), then in order of arrival, at most
///   `runningSequenceLimit` at a time, once the pages for the tokens that they have are available; from then on they grow
///   page by page. When pages run out, the one of the lowest priority, of these the youngest, is put back: it is computed
///   again later, with the tokens that it has, and goes on as if nothing had happened. The first by priority and age is
///   never put back, and a request that could not have all pages to itself is refused, so everything ends.
/// - Priorities are strict, as in vLLM: while requests of higher priority keep the cluster busy, lower ones wait until
///   their deadline. Within a priority everyone's turn comes.
/// - Full pages are shared with later sequences that begin with the same tokens (`PrefixCache`), from the step on after
///   the one that computes them: stages run steps in order. One that begins like a prompt just being computed waits.
/// - Prompt chunks do not wait for each other's results: up to stage count + 1 steps are in flight (the credits).
///   A decode token waits for the token before it. How they share steps is decided by `StepComposition`.
/// - Every step is answered by a `StepResult`, also one whose slices ask for nothing.
/// - Sequences that ended (or were put back) are retired with the next step; when there is nothing else to do, with a
///   step that has no slices. Their pages are given out again only from the step after that one on.
/// - A sequence that begins again within an epoch (LongRoPE's crossing) brings a new admission and a whole new page
///   table in its first slice; its id stays.
public struct Scheduler: Sendable {
    public let configuration: SchedulerConfiguration
    /// The epoch that steps are composed for; nil until the first `replan`.
    public private(set) var epoch: Epoch?
    /// Whether no steps are composed (no plan stands). Requests are still taken.
    public private(set) var isSuspended = true
    /// Whether no steps are composed for a while, although the plan stands: another one is to take its place.
    public internal(set) var isPaused = false

    var requests: [RequestTicket: RequestState] = [:]
    var sequences: [SequenceID: SequenceState] = [:]
    /// Sequences whose turn has not come.
    var waiting = WaitingQueue()
    /// What the clients were served.
    var shares = ClientShares()
    /// The version of the pages with which nobody who waits could begin; nil once anything else changed that matters.
    var blockedPageVersion: UInt64?
    /// False as long as no request has a `Suspicion`.
    var mayHaveSuspects = false
    /// In the order in which they began.
    var running: [SequenceID] = []
    /// Ended or put back, and still known to the stages.
    var retiring: [SequenceID] = []
    /// Pages that nobody uses from the next step on; each entry belonged to one sequence.
    var freeing: [[PageID]] = []
    var pages = PagePool(pageCount: 0)
    var stepsInFlight: [StepInFlight] = []
    var creditCount = 0
    /// How many steps the decode tokens are spread over.
    var tuner = GroupTuner(initialCount: 1, mostCount: 1)
    /// How many prompt rows go along with decode tokens.
    var pace = PaceMeter()
    /// Sequences that decoded when the latest step was composed.
    var decodingCount = 0
    /// Counts grants, for fairness.
    var lastTurn: UInt64 = 0
    var nextStepNumber: UInt64 = 0
    var events: [SchedulerEvent] = []

    private static let longStageCount = 8

    private var numbering = RequestNumbering()
    /// Smoothed time that a request takes once it began, for the advice when to try again.
    private var serviceMilliseconds = 1000.0

    /// Requests that ended with `.completed` since the start.
    public private(set) var completedRequestCount = 0
    /// Tokens generated since the start.
    public internal(set) var generatedTokenCount = 0
    /// Sequences that were put back for want of pages since the start.
    public internal(set) var preemptionCount = 0
    var sentStepCount = 0
    var sentRowCount = 0
    /// Tokens whose beginnings were looked up in the prefix cache, and those of them that were found.
    var lookedUpTokenCount = 0
    var hitTokenCount = 0

    public init(configuration: SchedulerConfiguration) { self.configuration = configuration }

    /// Checks a request and puts it at the end of the queue; its choices' seed is drawn now unless it brings one.
    ///
    /// Throws `EngineError`: `invalidRequest`, `contextOverflow`, or `overloaded` when too many wait.
    public mutating func submit(
        _ request: GenerationRequest, now: Double, using generator: inout some RandomNumberGenerator
    ) throws(EngineError) -> RequestTicket {
        try configuration.validate(request)
        try Self.checkQueue(of: [self], for: request.client)
        let new = numbering.take(request, configuration, now: now, using: &generator)
        adopt(new)
        return new.ticket
    }

    /// A full queue takes one request more from each client that has none in it, up to twice its length: nobody locks
    /// others out. Several schedulers of one configuration have one queue.
    static func checkQueue(of schedulers: [Scheduler], for client: String) throws(EngineError) {
        // A request may wait where none runs: it begins at once, or would with the first plan.
        let able = schedulers.contains { !$0.isSuspended } ? schedulers.filter { !$0.isSuspended } : [schedulers[0]]
        let limit = able[0].configuration.waitingRequestLimit
        let waitingCount = schedulers.reduce(0) { $0 + $1.waitingRequestCount }
        let boundedCount = waitingCount - able.count { $0.running.isEmpty }
        guard boundedCount >= limit, schedulers.contains(where: { !$0.requests.isEmpty }) else { return }
        let isFirst = !schedulers.contains { scheduler in
            scheduler.requests.values.contains { $0.firstStepMilliseconds == nil && $0.request.client == client }
        }
        guard !isFirst || boundedCount >= 2 * limit else { return }
        let runningLimit = able[0].configuration.runningSequenceLimit * able.count
        let milliseconds = able[0].serviceMilliseconds * Double(waitingCount + 1) / Double(runningLimit)
        throw EngineError(
            code: .overloaded, message: "\(waitingCount) requests wait already, no more are taken; try again later",
            retryAfterSeconds: min(max(Int((milliseconds / 1000).rounded(.up)), 1), 60))
    }

    /// Ends a request (its client went away). Every unfinished choice reports `.finished(_, .cancelled)`.
    public mutating func cancel(_ ticket: RequestTicket, now: Double) {
        guard let request = requests[ticket] else { return }
        for id in request.sequences { finish(id, .cancelled, now: now) }
    }

    /// Ends one choice, which then reports `.finished(choice, .cancelled)`. Unknown and finished ones are ignored.
    public mutating func cancelChoice(_ choice: Int, of ticket: RequestTicket, now: Double) {
        guard let request = requests[ticket], request.sequences.indices.contains(choice) else { return }
        finish(request.sequences[choice], .cancelled, now: now)
    }

    /// Ends a request with an error.
    public mutating func fail(_ ticket: RequestTicket, _ error: EngineError) {
        guard let request = requests.removeValue(forKey: ticket) else { return }
        shares.leave(request.request.client)
        for id in request.sequences { dismiss(id) }
        events.append(.failed(ticket, error))
    }

    /// Ends all requests with an error, oldest first.
    public mutating func failAll(_ error: EngineError) {
        for ticket in requests.keys.sorted() { fail(ticket, error) }
    }

    /// Ends the requests whose time is over.
    public mutating func expire(now: Double) {
        let late = requests.values.filter { $0.deadlineMilliseconds.map { $0 <= now } ?? false }
        for request in late.sorted(by: { $0.ticket < $1.ticket }) {
            let timeout = Int((request.deadlineMilliseconds ?? now) - request.submittedMilliseconds)
            fail(
                request.ticket,
                EngineError(
                    code: .deadlineExceeded, message: "the request took longer than its limit of \(timeout) ms"))
        }
    }

    /// When `expire` has something to do next, in milliseconds.
    public var nextDeadlineMilliseconds: Double? { requests.values.compactMap(\.deadlineMilliseconds).min() }

    /// The plan fell: no steps are composed until the next `replan`, and results of the old one are ignored.
    public mutating func suspend() {
        isSuspended = true
        isPaused = false
        stepsInFlight = []
    }

    /// Goes on in a new epoch, whose stages hold nothing yet: every live sequence is admitted again, with the tokens
    /// that it has, and computed again from position 0.
    ///
    /// - Parameters:
    ///   - pageCount: KV pages of every stage.
    ///   - stageCount: at least 1; one step more may be in flight.
    ///   - fillingStepCount: steps that keep the slowest stage busy; nil when all stages are equally fast.
    public mutating func replan(epoch: Epoch, pageCount: Int, stageCount: Int, fillingStepCount: Int? = nil) {
        enter(epoch, stageCount: stageCount, fillingStepCount: fillingStepCount)
        stepsInFlight = []
        while let id = running.last { putBack(id) }
        retiring = []
        freeing = []
        pages = PagePool(pageCount: pageCount)
        blockedPageVersion = nil
    }

    /// Steps are composed for this epoch from now on, numbered from 0.
    mutating func enter(_ epoch: Epoch, stageCount: Int, fillingStepCount: Int?) {
        precondition(self.epoch.map { $0 < epoch } ?? true, "an epoch rises")
        precondition(stageCount > 0)
        let fillingCount = min(max(1, fillingStepCount ?? stageCount), stageCount)
        self.epoch = epoch
        isSuspended = false
        isPaused = false
        creditCount = stageCount + 1
        // A long pipeline has time on its links, too, for which one more step makes up.
        let startCount = stageCount < Self.longStageCount ? fillingCount : fillingCount + 1
        tuner = GroupTuner(initialCount: startCount, mostCount: creditCount)
        pace = PaceMeter()
        nextStepNumber = 0
    }

    /// What happened since the last call, in order.
    public mutating func takeEvents() -> [SchedulerEvent] {
        defer { events = [] }
        return events
    }

    // MARK: Endings

    /// Ends a choice, and the request with its last one.
    mutating func finish(_ id: SequenceID, _ reason: FinishReason, now: Double) {
        guard let sequence = sequences[id], var request = requests[sequence.ticket] else { return }
        let begun = request.firstStepMilliseconds
        events.append(.event(sequence.ticket, .finished(choice: sequence.choice, reason)))
        request.unfinishedChoiceCount -= 1
        // Another choice scores the prompt when the one that did so ends early.
        if !request.scoresAreComplete && sequence.phase == .running { request.promptScores = [] }
        if request.suspicion?.clear(id, upTo: .max) == true { request.suspicion = nil }
        requests[sequence.ticket] = request
        dismiss(id)
        guard request.unfinishedChoiceCount == 0 else { return }
        requests[sequence.ticket] = nil
        shares.leave(sequence.client)
        completedRequestCount += 1
        if let begun { serviceMilliseconds += (max(0, now - begun) - serviceMilliseconds) / 8 }
        events.append(.event(request.ticket, .completed(usage(of: request, now: now))))
    }

    /// Takes a sequence out of the queue or the pipeline.
    private mutating func dismiss(_ id: SequenceID) {
        guard let sequence = sequences[id] else { return }
        switch sequence.phase {
        case .waiting:
            waiting.remove(sequence.rank, of: sequence.client)
            blockedPageVersion = nil
        case .running: leavePipeline(sequence)
        }
        sequences[id] = nil
    }

    private func usage(of request: RequestState, now: Double) -> GenerationUsage {
        let begun = request.firstStepMilliseconds ?? now
        let firstToken = request.firstTokenMilliseconds ?? now
        return GenerationUsage(
            promptTokenCount: request.request.prompt.count, cachedTokenCount: request.cachedTokenCount ?? 0,
            completionTokenCount: request.answerTokenCount, queueMilliseconds: begun - request.submittedMilliseconds,
            prefillMilliseconds: max(0, firstToken - begun),
            decodeMilliseconds: max(0, (request.lastTokenMilliseconds ?? firstToken) - firstToken))
    }
}
