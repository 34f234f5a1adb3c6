public import Inference

/// Divides requests among the replicas of the pipeline, each of which has a `Scheduler`: a synchronous state machine.
///
/// It looks like one scheduler to the shell: `submit`, `cancel`, `nextStep`, `apply`, `takeEvents`.
///
/// - **The rule.** A request goes to the replica that would answer it first by estimate: tokens to be computed there,
///   divided by the replica's forecast speed. The tokens are those of all requests that it has (what is left of prompts,
///   and of answers up to 256 tokens each) and those of the request itself that its prefix cache does not know. So a
///   long prefix outweighs a short queue, and a long queue a short prefix. A prompt's token counts like an answer's:
///   with several streams at once they cost about the same. Of equal replicas the first one is taken.
/// - **A replica joins**: all requests that no pipeline holds are divided anew. Those that run stay where they are.
/// - **A replica has room and nobody waits there**: it takes the request that is next in another's queue, if it would
///   be answered sooner.
/// - **A replica falls**: its requests move to the others at once, with the tokens that they have, and are computed
///   again. While no replica serves, requests wait where they are, new ones at the first replica.
/// - The bound of waiting requests is one for all together; tickets and sequence numbers are unique over all.
public struct Router: Sendable {
    public let configuration: SchedulerConfiguration
    /// By the number of the replica. The first one is there from the start; one whose replica fell is suspended and comes
    /// to use with the next replica of its number.
    public private(set) var schedulers: [Scheduler]
    /// Forecast tokens per second of each replica, above 0.
    private var speeds: [Double] = [1]
    private var numbering = RequestNumbering()
    /// Of requests that moved since, in order.
    private var events: [SchedulerEvent] = []

    public init(configuration: SchedulerConfiguration) {
        self.configuration = configuration
        schedulers = [Scheduler(configuration: configuration)]
    }

    // MARK: Requests

    /// Checks a request and gives it to a replica; its choices' seed is drawn now unless it brings one.
    ///
    /// Throws `EngineError`: `invalidRequest`, `contextOverflow`, or `overloaded` when too many wait.
    public mutating func submit(
        _ request: GenerationRequest, now: Double, using generator: inout some RandomNumberGenerator
    ) throws(EngineError) -> RequestTicket {
        try configuration.validate(request)
        try Scheduler.checkQueue(of: schedulers, for: request.client)
        let new = numbering.take(request, configuration, now: now, using: &generator)
        place(new)
        return new.ticket
    }

    /// Ends a request (its client went away). Every unfinished choice reports `.finished(_, .cancelled)`.
    public mutating func cancel(_ ticket: RequestTicket, now: Double) {
        for replica in schedulers.indices { schedulers[replica].cancel(ticket, now: now) }
    }

    /// Ends one choice, which then reports `.finished(choice, .cancelled)`. Unknown and finished ones are ignored.
    public mutating func cancelChoice(_ choice: Int, of ticket: RequestTicket, now: Double) {
        for replica in schedulers.indices { schedulers[replica].cancelChoice(choice, of: ticket, now: now) }
    }

    /// Ends all requests with an error.
    public mutating func failAll(_ error: EngineError) {
        for replica in schedulers.indices { schedulers[replica].failAll(error) }
    }

    /// Ends the requests whose time is over.
    public mutating func expire(now: Double) {
        for replica in schedulers.indices { schedulers[replica].expire(now: now) }
    }

    // MARK: Replicas

    /// A replica begins to serve, in a new epoch, whose stages hold nothing yet.
    ///
    /// - Parameters:
    ///   - pageCount: KV pages of every stage.
    ///   - stageCount: at least 1.
    ///   - fillingStepCount: steps that keep the slowest stage busy; nil when all stages are equally fast.
    ///   - tokensPerSecond: the forecast for many streams, to be compared with other replicas'.
    public mutating func serve(
        _ replica: ReplicaID, epoch: Epoch, pageCount: Int, stageCount: Int, fillingStepCount: Int? = nil,
        tokensPerSecond: Double = 1
    ) {
        while schedulers.count <= replica.rawValue {
            schedulers.append(Scheduler(configuration: configuration))
            speeds.append(1)
        }
        schedulers[replica.rawValue].replan(
            epoch: epoch, pageCount: pageCount, stageCount: stageCount, fillingStepCount: fillingStepCount)
        speeds[replica.rawValue] = Self.speed(tokensPerSecond)
        guard schedulers.count > 1 else { return }
        divide(
            schedulers.flatMap { scheduler in
                scheduler.requests.keys.filter { scheduler.isSuspended || scheduler.isWaiting($0) }
            })
    }

    /// A replica's plan takes the place of the one before and goes on with its pages; the replica must be quiet.
    public mutating func succeed(
        _ replica: ReplicaID, epoch: Epoch, stageCount: Int, fillingStepCount: Int? = nil, tokensPerSecond: Double = 1
    ) {
        schedulers[replica.rawValue].succeed(epoch: epoch, stageCount: stageCount, fillingStepCount: fillingStepCount)
        speeds[replica.rawValue] = Self.speed(tokensPerSecond)
    }

    /// Sends no steps to a replica until `resume` or `succeed`.
    public mutating func pause(_ replica: ReplicaID) { schedulers[replica.rawValue].pause() }

    public mutating func resume(_ replica: ReplicaID) { schedulers[replica.rawValue].resume() }

    /// The epochs of replicas that are paused and have no step in flight any more.
    public var quietEpochs: [Epoch] { schedulers.filter { $0.isQuiet && !$0.isSuspended }.compactMap(\.epoch) }

    private static func speed(_ forecast: Double) -> Double {
        forecast.isFinite ? max(forecast, leastSpeed) : leastSpeed
    }

    private static let leastSpeed = 1e-3

    /// Stages of a replica failed while they computed; told before `suspend`. What was in flight there is suspect: it is
    /// replayed alone after the second time and ended with `EngineError.Code.requestFailed` if stages fail even then.
    ///
    /// - Parameter reason: what happened, for people.
    public mutating func suspectRequestsInFlight(_ replica: ReplicaID, reason: String) {
        guard schedulers.indices.contains(replica.rawValue) else { return }
        schedulers[replica.rawValue].suspectRequestsInFlight(reason: reason)
    }

    /// A replica fell: nothing is sent to it and its results are ignored. Its requests go on in the others.
    public mutating func suspend(_ replica: ReplicaID) {
        guard schedulers.indices.contains(replica.rawValue) else { return }
        schedulers[replica.rawValue].suspend()
        guard !serving.isEmpty else { return }
        divide(Array(schedulers[replica.rawValue].requests.keys))
    }

    /// Replicas that serve, by number.
    private var serving: [Int] { schedulers.indices.filter { !schedulers[$0].isSuspended } }

    /// Takes requests out of where they are and places them anew, in order of arrival.
    private mutating func divide(_ tickets: [RequestTicket]) {
        let moving = tickets.sorted().compactMap { take($0) }
        for request in moving { place(request) }
    }

    /// What the scheduler said of the request so far comes before what the next one says.
    private mutating func take(_ ticket: RequestTicket) -> RequestInTransit? {
        guard let replica = schedulers.firstIndex(where: { $0.requests[ticket] != nil }) else { return nil }
        events += schedulers[replica].takeEvents()
        return schedulers[replica].release(ticket)
    }

    private mutating func place(_ request: RequestInTransit) {
        let times = serving.map { replica in
            (seconds: seconds(to: request, on: replica, isRunning: false), replica: replica)
        }
        schedulers[times.min { $0 < $1 }?.replica ?? 0].adopt(request)
    }

    /// Until a request is answered, by estimate, when everything is before it that runs, or everything that is there.
    private func seconds(to request: RequestInTransit, on replica: Int, isRunning: Bool) -> Double {
        let scheduler = schedulers[replica]
        let aheadCount = scheduler.remainingTokenCount(isRunning: isRunning)
        return Double(aheadCount + scheduler.remainingTokenCount(of: request)) / speeds[replica]
    }

    /// Replicas with room take requests from the queues of others.
    private mutating func balance() {
        let serving = serving
        guard serving.count > 1 else { return }
        for idle in serving where schedulers[idle].hasRoomForSequences {
            let queued = serving.compactMap { replica in
                schedulers[replica].nextWaitingRequest.map { (ticket: $0, replica: replica) }
            }
            for next in queued.sorted(by: { $0.ticket < $1.ticket }) {
                guard let request = schedulers[next.replica].view(of: next.ticket),
                    seconds(to: request, on: idle, isRunning: true)
                        < seconds(to: request, on: next.replica, isRunning: true),
                    let moved = take(next.ticket)
                else { continue }
                schedulers[idle].adopt(moved)
                break
            }
        }
    }

    // MARK: Steps

    /// The next step to send and where, or nil when there is nothing to do now.
    ///
    /// - Parameter mask: asked once for every token that is to be sampled under a grammar.
    public mutating func nextStep(
        now: Double, mask: Scheduler.MaskSource = { _, _, _ in nil }
    ) -> (replica: ReplicaID, step: Step)? {
        balance()
        for replica in schedulers.indices {
            if let step = schedulers[replica].nextStep(now: now, mask: mask) { return (ReplicaID(replica), step) }
        }
        return nil
    }

    /// Takes the answer to a step of any replica, which its epoch names.
    public mutating func apply(_ result: StepResult, now: Double) -> ResultDisposition {
        guard let replica = schedulers.firstIndex(where: { $0.epoch == result.epoch }) else { return .stale }
        return schedulers[replica].apply(result, now: now)
    }

    /// The oldest unanswered step of each epoch that has one.
    public var oldestSteps: [Epoch: UInt64] {
        schedulers.reduce(into: [:]) { steps, scheduler in
            guard !scheduler.isSuspended, let epoch = scheduler.epoch else { return }
            steps[epoch] = scheduler.stepsInFlight.first?.number
        }
    }

    /// What happened since the last call, in the order of each request.
    public mutating func takeEvents() -> [SchedulerEvent] {
        defer { events = [] }
        return schedulers.indices.reduce(into: events) { $0 += schedulers[$1].takeEvents() }
    }

    // MARK: What status reports, of all replicas together

    /// Whether nothing waits, runs or has to be retired.
    public var isIdle: Bool { schedulers.allSatisfy { $0.isSuspended ? $0.requests.isEmpty : $0.isIdle } }
    public var runningRequestCount: Int { sum(\.runningRequestCount) }
    public var waitingRequestCount: Int { sum(\.waitingRequestCount) }
    public var completedRequestCount: Int { sum(\.completedRequestCount) }
    public var generatedTokenCount: Int { sum(\.generatedTokenCount) }
    public var preemptionCount: Int { sum(\.preemptionCount) }
    /// KV pages of the replicas that serve.
    public var pageCount: Int { serving.reduce(0) { $0 + schedulers[$1].pageCount } }

    public var freePageCount: Int { serving.reduce(0) { $0 + schedulers[$1].freePageCount } }

    /// Counts of all replicas since the start, and the pages and micro-batches of those that serve.
    public var activity: SchedulingActivity {
        schedulers.reduce(into: SchedulingActivity()) { sum, scheduler in
            let one = scheduler.activity
            sum.lookedUpTokenCount += one.lookedUpTokenCount
            sum.hitTokenCount += one.hitTokenCount
            sum.preemptionCount += one.preemptionCount
            sum.stepCount += one.stepCount
            sum.rowCount += one.rowCount
            guard !scheduler.isSuspended else { return }
            sum.pageCount += one.pageCount
            sum.usedPageCount += one.usedPageCount
            sum.cachedPageCount += one.cachedPageCount
            sum.microBatchCount += one.microBatchCount
        }
    }

    private func sum(_ count: (Scheduler) -> Int) -> Int { schedulers.reduce(0) { $0 + count($1) } }
}
