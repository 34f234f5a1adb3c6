import Cluster
import Inference
import Scheduling

/// The real membership and router, joined as the coordinator joins them; the only place that binds to them.
struct SimulatedCoordinator {
    /// What the coordinator does to the outside.
    enum Output {
        case send(ControlStreamID, CoordinatorMessage)
        case close(ControlStreamID)
    }

    private var membership: Membership
    private var router: Router
    private var firstStages: [ReplicaID: ControlStreamID] = [:]
    private let outageMilliseconds: Double
    /// Since when no replica serves.
    private var outageBegan: Double? = 0
    private(set) var planCount = 0
    /// Plans among them that went on with the pages of the one before.
    private(set) var successionCount = 0
    /// Failures that were laid to what was in flight.
    private(set) var suspicionCount = 0
    private var random: SimulatedRandom
    private var outputs: [Output] = []
    private var steps: [Epoch: StepWatch] = [:]

    init(_ scenario: Scenario) {
        membership = Membership(configuration: scenario.clusterConfiguration, term: 1)
        router = Router(configuration: scenario.scheduling)
        random = SimulatedRandom(seed: scenario.seed, stream: 2)
        outageMilliseconds = scenario.outageMilliseconds
    }

    /// What was done since the last call.
    mutating func takeOutputs() -> [Output] {
        defer { outputs = [] }
        return outputs
    }

    mutating func takeEvents() -> [SchedulerEvent] { router.takeEvents() }

    /// Of the first replica.
    var placement: Placement? { membership.replicas.first?.placement }
    /// Whether a replica is loaded or served in the epoch.
    func stands(_ epoch: Epoch) -> Bool { membership.replica(of: epoch) != nil }
    var isServing: Bool { !firstStages.isEmpty }
    /// Why nothing is served.
    var reason: String {
        if case .waiting(let reason) = membership.phase { return reason }
        return isServing ? "a plan is served" : "the workers are loading"
    }
    var preemptionCount: Int { router.preemptionCount }

    // MARK: What happens

    mutating func receive(_ message: WorkerMessage, on stream: ControlStreamID, now: Double) throws(Breach) {
        if case .result(let result) = message, let node = membership.node(of: stream),
            node == membership.replica(of: result.epoch)?.placement.stages.last?.node
        {
            switch router.apply(result, now: now) {
            case .applied: steps[result.epoch]?.answered()
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
        perform(membership.handle(.inFlight(router.oldestSteps), now: now), now: now)
        perform(membership.handle(.tick, now: now), now: now)
        router.expire(now: now)
        // While a plan is being carried out, there is hope.
        if case .loading = membership.phase, outageBegan != nil { outageBegan = now }
        if isOutage(now: now), !router.isIdle { router.failAll(unavailable) }
        try pump(now: now)
    }

    /// The ticket, or why the request is refused.
    mutating func submit(_ request: GenerationRequest, now: Double) throws(Breach) -> Result<RequestTicket, EngineError>
    {
        if isOutage(now: now) { return .failure(unavailable) }
        let ticket: RequestTicket
        do throws(EngineError) {
            ticket = try router.submit(request, now: now, using: &random)
        } catch {
            return .failure(error)
        }
        let limit = router.configuration.waitingRequestLimit
        // One more than may wait is taken for each replica in which nothing runs.
        guard router.waitingRequestCount <= limit + max(1, firstStages.count) else {
            throw Breach("\(router.waitingRequestCount) requests wait, more than the limit of \(limit)")
        }
        try pump(now: now)
        return .success(ticket)
    }

    mutating func cancel(_ ticket: RequestTicket, now: Double) throws(Breach) {
        router.cancel(ticket, now: now)
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
            case .suspect(let replica, let reason):
                router.suspectRequestsInFlight(replica, reason: reason)
                suspicionCount += 1
            case .suspend(let replica, _):
                router.suspend(replica)
                firstStages[replica] = nil
                if firstStages.isEmpty { outageBegan = now }
            case .serve(let replica, let stage0):
                let placement = replica.placement
                router.serve(
                    replica.id, epoch: replica.epoch, pageCount: placement.pageCount,
                    stageCount: placement.stages.count, fillingStepCount: placement.fillingStepCount,
                    tokensPerSecond: replica.tokensPerSecond)
                watch(replica)
                firstStages[replica.id] = stage0
                outageBegan = nil
                planCount += 1
            case .pause(let replica): router.pause(replica)
            case .resume(let replica): router.resume(replica)
            case .succeed(let replica, let stage0):
                let placement = replica.placement
                router.succeed(
                    replica.id, epoch: replica.epoch, stageCount: placement.stages.count,
                    fillingStepCount: placement.fillingStepCount, tokensPerSecond: replica.tokensPerSecond)
                watch(replica)
                firstStages[replica.id] = stage0
                planCount += 1
                successionCount += 1
            case .note: break
            }
        }
    }

    private mutating func watch(_ replica: Replica) {
        steps = steps.filter { membership.replica(of: $0.key) != nil }
        steps[replica.epoch] = StepWatch(
            stageCount: replica.placement.stages.count, runningLimit: router.configuration.runningSequenceLimit)
    }

    private mutating func pump(now: Double) throws(Breach) {
        for epoch in router.quietEpochs { perform(membership.handle(.quiet(epoch), now: now), now: now) }
        while let (replica, step) = router.nextStep(now: now) {
            guard let firstStage = firstStages[replica] else {
                throw Breach("a step for \(replica), which does not serve")
            }
            try steps[step.epoch]?.sent(step)
            outputs.append(.send(firstStage, .step(step)))
        }
    }

    // MARK: What must hold

    /// Nothing waits, runs or is to be retired; then no page is in use.
    func checkIdle() throws(Breach) {
        guard router.isIdle else { throw Breach("all requests ended, but the scheduler is not idle") }
        guard router.freePageCount == router.pageCount else {
            throw Breach("\(router.pageCount - router.freePageCount) pages are in use although nothing runs")
        }
    }

    var isIdle: Bool { router.isIdle }
}
