import Inference
import TestSupport
import Testing

@testable import Scheduling

/// A router with toy pipelines behind it, and what every request got.
struct ToyReplicas {
    var router: Router
    /// Of the replicas that serve.
    private(set) var pipelines: [Int: ToyPipeline] = [:]
    private(set) var outcomes: [RequestTicket: ToyOutcome] = [:]
    private(set) var requests: [RequestTicket: GenerationRequest] = [:]
    private(set) var now = 0.0
    /// Of each replica, in order; those of replicas that fell stay on their way, too.
    private var results: [[StepResult]] = []
    private var plan: UInt64 = 0
    private var generator: SeededGenerator
    private let seed: UInt64
    /// Requests that kill the worker which computes one position.
    var poison: [RequestTicket: Int] = [:]
    /// The requests that were in flight when a replica crashed.
    private(set) var crashes: [Set<RequestTicket>] = []

    init(_ configuration: SchedulerConfiguration, seed: UInt64) {
        router = Router(configuration: configuration)
        generator = SeededGenerator(seed: seed)
        self.seed = seed
    }

    mutating func serve(_ replica: Int, pageCount: Int, stageCount: Int, speed: Double) {
        if pipelines[replica] != nil { suspend(replica) }
        plan += 1
        let epoch = Epoch(term: 1, plan: plan)
        pipelines[replica] = ToyPipeline(
            epoch: epoch, pageCount: pageCount, maxRowCount: router.configuration.maxRowCount)
        router.serve(
            ReplicaID(replica), epoch: epoch, pageCount: pageCount, stageCount: stageCount, tokensPerSecond: speed)
        collect()
    }

    mutating func suspend(_ replica: Int) {
        let problems = pipelines.removeValue(forKey: replica)?.problems ?? []
        #expect(problems == [], "seed \(seed)")
        router.suspend(ReplicaID(replica))
        collect()
    }

    mutating func submit(_ request: GenerationRequest) throws -> RequestTicket {
        let ticket = try router.submit(request, now: now, using: &generator)
        #expect(requests.updateValue(request, forKey: ticket) == nil, "a ticket is given twice, seed \(seed)")
        outcomes[ticket] = ToyOutcome()
        collect()
        return ticket
    }

    mutating func cancel(_ ticket: RequestTicket) {
        router.cancel(ticket, now: now)
        collect()
    }

    /// Runs every step that may be sent.
    mutating func send() {
        while let (replica, step) = router.nextStep(now: now) {
            checkIsolation(replica.rawValue)
            guard !isDeadly(step, replica.rawValue) else {
                crash(replica.rawValue)
                continue
            }
            guard let result = pipelines[replica.rawValue]?.run(step) else {
                Issue.record("a step for \(replica), which does not serve, seed \(seed)")
                return
            }
            while results.count <= replica.rawValue { results.append([]) }
            results[replica.rawValue].append(result)
        }
        collect()
    }

    /// A stage of a replica dies with what is in flight; another takes its place at once.
    mutating func crash(_ replica: Int) {
        guard let pipeline = pipelines[replica] else { return }
        crashes.append(inFlight(replica))
        router.suspectRequestsInFlight(ReplicaID(replica), reason: "it died")
        suspend(replica)
        serve(replica, pageCount: pipeline.pageCount, stageCount: 2, speed: 1)
    }

    private func inFlight(_ replica: Int) -> Set<RequestTicket> {
        let scheduler = router.schedulers[replica]
        return Set(scheduler.stepsInFlight.flatMap(\.slices).compactMap { scheduler.sequences[$0.sequence]?.ticket })
    }

    private func isDeadly(_ step: Step, _ replica: Int) -> Bool {
        step.slices.contains { slice in
            guard let ticket = router.schedulers[replica].sequences[slice.sequence]?.ticket, let place = poison[ticket]
            else { return false }
            return (slice.firstPosition..<slice.firstPosition + slice.rowCount).contains(place)
        }
    }

    /// A request that is isolated shares the pipeline with none.
    private func checkIsolation(_ replica: Int) {
        let inFlight = inFlight(replica)
        let isIsolated = inFlight.contains { router.schedulers[replica].requests[$0]?.suspicion?.isIsolated == true }
        #expect(!isIsolated || inFlight.count == 1, "seed \(seed)")
    }

    /// Brings a result of some replica back, the oldest of those that it has.
    mutating func deliver(using random: inout SeededGenerator) {
        guard let replica = results.indices.filter({ !results[$0].isEmpty }).randomElement(using: &random) else {
            return
        }
        deliver(replica)
    }

    private mutating func deliver(_ replica: Int) {
        let result = results[replica].removeFirst()
        now += 1
        let isOld = result.epoch != pipelines[replica]?.epoch
        let disposition = router.apply(result, now: now)
        #expect(disposition == (isOld ? .stale : .applied), "seed \(seed)")
        collect()
    }

    /// Sends what may be sent and brings one result of each replica.
    mutating func step() {
        send()
        for replica in results.indices where !results[replica].isEmpty { deliver(replica) }
    }

    /// Goes on until nothing is left to do, which must come to an end.
    mutating func finish(sourceLocation: SourceLocation = #_sourceLocation) {
        for _ in 0..<200_000 {
            step()
            if results.allSatisfy(\.isEmpty) {
                send()
                if results.allSatisfy(\.isEmpty) { return }
            }
        }
        Issue.record("the router works without end, seed \(seed)", sourceLocation: sourceLocation)
    }

    private mutating func collect() {
        for event in router.takeEvents() {
            outcomes[event.ticket, default: ToyOutcome()].record(event, of: requests[event.ticket])
        }
    }

    /// Holds every outcome against plain generation.
    func checkAll(sourceLocation: SourceLocation = #_sourceLocation) {
        for (ticket, request) in requests where outcomes[ticket]?.error?.code != .requestFailed {
            outcomes[ticket]?.check(request, router.configuration, seed: seed, sourceLocation: sourceLocation)
        }
    }

    /// Rows that all pipelines computed.
    var computedRowCount: Int { pipelines.values.reduce(0) { $0 + $1.computedRowCount } }
}
