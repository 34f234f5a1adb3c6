import Cluster
import Inference
import Scheduling

/// The real membership and scheduler, joined as the coordinator joins them; the only place that binds to them.
struct SimulatedCoordinator {
    /// What the coordinator does to the outside.
    enum Output {
        case send(ControlStreamID, CoordinatorMessage)
        case close(ControlStreamID)
    }

    private var membership: Membership
    private var scheduler: Scheduler
    private var firstStage: ControlStreamID?
    private let outageMilliseconds: Double
    /// Since when no plan stands.
    private var outageBegan: Double? = 0
    private(set) var planCount = 0
    private var random: SimulatedRandom
    private var outputs: [Output] = []
    private var steps = StepWatch()

    init(_ scenario: Scenario) {
        membership = Membership(configuration: scenario.clusterConfiguration, term: 1)
        scheduler = Scheduler(configuration: scenario.scheduling)
        random = SimulatedRandom(seed: scenario.seed, stream: 2)
        outageMilliseconds = scenario.outageMilliseconds
    }

    /// What was done since the last call.
    mutating func takeOutputs() -> [Output] {
        defer { outputs = [] }
        return outputs
    }

    mutating func takeEvents() -> [SchedulerEvent] { scheduler.takeEvents() }

    var placement: Placement? { membership.placement }
    var epoch: Epoch { membership.epoch }
    var isServing: Bool { firstStage != nil }
    /// Why nothing is served.
    var reason: String {
        if case .waiting(let reason) = membership.phase { return reason }
        return isServing ? "a plan is served" : "the workers are loading"
    }
    var preemptionCount: Int { scheduler.preemptionCount }

    // MARK: What happens

    mutating func receive(_ message: WorkerMessage, on stream: ControlStreamID, now: Double) throws(Breach) {
        if case .result(let result) = message, let node = membership.node(of: stream),
            node == membership.placement?.stages.last?.node
        {
            switch scheduler.apply(result, now: now) {
            case .applied: steps.answered()
            case .stale: break
            case .fault(let problem):
                perform(
                    membership.handle(.pipelineFailed(result.epoch, reason: problem), now: now), now: now)
            }
        }
        perform(membership.handle(.message(stream, message), now: now), now: now)
        try pump(now: now)
    }

    mutating func disconnected(_ stream: ControlStreamID, now: Double) throws(Breach) {
        perform(
            membership.handle(.disconnected(stream, reason: "the connection was closed"), now: now), now: now)
        try pump(now: now)
    }

    mutating func tick(now: Double) throws(Breach) {
        perform(membership.handle(.tick, now: now), now: now)
        scheduler.expire(now: now)
        // While a plan is being carried out, there is hope.
        if case .loading = membership.phase, outageBegan != nil { outageBegan = now }
        if isOutage(now: now), !scheduler.isIdle { scheduler.failAll(unavailable) }
        try pump(now: now)
    }

    /// The ticket, or why the request is refused.
    mutating func submit(_ request: GenerationRequest, now: Double) throws(Breach) -> Result<RequestTicket, EngineError>
    {
        if isOutage(now: now) { return .failure(unavailable) }
        let ticket: RequestTicket
        do throws(EngineError) {
            ticket = try scheduler.submit(request, now: now, using: &random)
        } catch {
            return .failure(error)
        }
        let limit = scheduler.configuration.waitingRequestLimit
        // One more than may wait is taken while nothing runs.
        guard scheduler.waitingRequestCount <= limit + 1 else {
            throw Breach("\(scheduler.waitingRequestCount) requests wait, more than the limit of \(limit)")
        }
        try pump(now: now)
        return .success(ticket)
    }

    mutating func cancel(_ ticket: RequestTicket, now: Double) throws(Breach) {
        scheduler.cancel(ticket, now: now)
        try pump(now: now)
    }

    /// Whether no plan has stood for so long that requests end.
    func isOutage(now: Double) -> Bool { outageBegan.map { now - $0 > outageMilliseconds } ?? false }

    private var unavailable: EngineError {
        EngineError(
            code: .unavailable, message: "the cluster cannot serve now: \(reason)", retryAfterSeconds: 5)
    }

    // MARK: What follows

    private mutating func perform(_ directives: [ClusterDirective], now: Double) {
        for directive in directives {
            switch directive {
            case .send(let stream, let message): outputs.append(.send(stream, message))
            case .close(let stream, _): outputs.append(.close(stream))
            case .suspend:
                scheduler.suspend()
                firstStage = nil
                outageBegan = now
            case .serve(let epoch, let placement, let stage0):
                scheduler.replan(
                    epoch: epoch, pageCount: placement.pageCount, stageCount: placement.stages.count,
                    fillingStepCount: placement.fillingStepCount)
                steps = StepWatch(
                    stageCount: placement.stages.count, runningLimit: scheduler.configuration.runningSequenceLimit)
                firstStage = stage0
                outageBegan = nil
                planCount += 1
            case .note: break
            }
        }
    }

    private mutating func pump(now: Double) throws(Breach) {
        guard let firstStage else { return }
        while let step = scheduler.nextStep(now: now) {
            try steps.sent(step)
            outputs.append(.send(firstStage, .step(step)))
        }
    }

    // MARK: What must hold

    /// Nothing waits, runs or is to be retired; then no page is in use.
    func checkIdle() throws(Breach) {
        guard scheduler.isIdle else { throw Breach("all requests ended, but the scheduler is not idle") }
        guard scheduler.freePageCount == scheduler.pageCount else {
            throw Breach("\(scheduler.pageCount - scheduler.freePageCount) pages are in use although nothing runs")
        }
    }

    var isIdle: Bool { scheduler.isIdle }
}
