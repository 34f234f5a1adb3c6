import Inference
import TestSupport
import Testing

@testable import Scheduling

/// A scheduler with a toy pipeline behind it, and what every request got.
struct ToyCluster {
    typealias Outcome = ToyOutcome

    var scheduler: Scheduler
    var pipeline: ToyPipeline
    var outcomes: [RequestTicket: Outcome] = [:]
    var requests: [RequestTicket: GenerationRequest] = [:]
    var generator: SeededGenerator
    var now = 0.0
    private var results: [StepResult] = []
    private(set) var stageCount: Int
    private var plan: UInt64 = 1
    var mostStepsInFlight = 0
    /// Sequences whose client went away, and the pages that were theirs alone, until the next step is composed.
    private var departed: Set<SequenceID> = []
    private var departedPages: Set<PageID> = []
    /// Pages that clients left behind, and uses of them, or of their sequences, in the next composed step.
    private(set) var departedPageCount = 0
    private(set) var departedUseCount = 0

    init(_ configuration: SchedulerConfiguration, pageCount: Int, stageCount: Int, seed: UInt64) {
        scheduler = Scheduler(configuration: configuration)
        generator = SeededGenerator(seed: seed)
        self.stageCount = stageCount
        let epoch = Epoch(term: 1, plan: plan)
        pipeline = ToyPipeline(epoch: epoch, pageCount: pageCount, maxRowCount: configuration.maxRowCount)
        scheduler.replan(epoch: epoch, pageCount: pageCount, stageCount: stageCount)
    }

    mutating func submit(_ request: GenerationRequest) throws -> RequestTicket {
        let ticket = try scheduler.submit(request, now: now, using: &generator)
        requests[ticket] = request
        outcomes[ticket] = Outcome()
        return ticket
    }

    mutating func replan(pageCount: Int, stageCount: Int) {
        #expect(pipeline.problems == [])
        departedPages = []
        plan += 1
        let epoch = Epoch(term: 1, plan: plan)
        pipeline = ToyPipeline(
            epoch: epoch, pageCount: pageCount, maxRowCount: scheduler.configuration.maxRowCount)
        self.stageCount = stageCount
        scheduler.replan(epoch: epoch, pageCount: pageCount, stageCount: stageCount)
    }

    /// The client of a request goes away, or gives one choice up.
    mutating func cancel(_ ticket: RequestTicket, choice: Int? = nil) {
        for sequence in scheduler.sequences.values where sequence.ticket == ticket {
            guard choice ?? sequence.choice == sequence.choice else { continue }
            departed.insert(sequence.id)
            let own = sequence.pages.filter { scheduler.pages.userCount($0) == 1 }
            departedPages.formUnion(own)
            departedPageCount += own.count
        }
        if let choice {
            scheduler.cancelChoice(choice, of: ticket, now: now)
        } else {
            scheduler.cancel(ticket, now: now)
        }
        collect()
    }

    /// Counts what the step composed first after a departure still has to do with those who went.
    private mutating func inspect(_ step: Step) {
        for slice in step.slices {
            if departed.contains(slice.sequence) { departedUseCount += 1 }
            // Those before the slice are only read: the prefix cache may have found them.
            let readCount = slice.firstPosition / KVPage.positionCount
            let pages = scheduler.sequences[slice.sequence]?.pages.dropFirst(readCount) ?? []
            departedUseCount += pages.count { departedPages.contains($0) }
        }
        departedPages = []
    }

    /// Runs every step that may be sent.
    mutating func send() {
        while let step = scheduler.nextStep(now: now) {
            inspect(step)
            results.append(pipeline.run(step))
        }
        mostStepsInFlight = max(mostStepsInFlight, scheduler.stepInFlightCount)
    }

    /// Brings the oldest result back (results of earlier epochs come too); false when there is none.
    mutating func deliver(twice: Bool = false) -> Bool {
        guard !results.isEmpty else { return false }
        let result = results.removeFirst()
        now += 1
        let isOld = result.epoch != pipeline.epoch
        expect(result, isOld ? .stale : .applied)
        if twice { expect(result, .stale) }
        collect()
        return true
    }

    /// The next step; there must be one.
    mutating func nextStep(now: Double) throws -> Step {
        let step = scheduler.nextStep(now: now)
        return try #require(step)
    }

    mutating func expectNoStep(sourceLocation: SourceLocation = #_sourceLocation) {
        let step = scheduler.nextStep(now: now)
        #expect(step == nil, sourceLocation: sourceLocation)
    }

    /// Computes a step and brings its result.
    mutating func run(_ step: Step, now: Double, sourceLocation: SourceLocation = #_sourceLocation) {
        let disposition = scheduler.apply(pipeline.run(step), now: now)
        #expect(disposition == .applied, sourceLocation: sourceLocation)
    }

    mutating func expect(
        _ result: StepResult, _ expected: ResultDisposition, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let disposition = scheduler.apply(result, now: now)
        #expect(disposition == expected, sourceLocation: sourceLocation)
    }

    /// Goes on until nothing is left to do, which must come to an end.
    mutating func finish(sourceLocation: SourceLocation = #_sourceLocation) {
        for _ in 0..<200_000 {
            send()
            guard deliver() else { return collect() }
        }
        Issue.record("the scheduler works without end", sourceLocation: sourceLocation)
    }

    mutating func collect() {
        for event in scheduler.takeEvents() { record(event) }
    }

    mutating func record(_ event: SchedulerEvent) {
        outcomes[event.ticket, default: Outcome()].record(event, of: requests[event.ticket])
    }

    /// Holds a request's outcome against plain generation.
    func check(_ ticket: RequestTicket, seed: UInt64, sourceLocation: SourceLocation = #_sourceLocation) {
        guard let request = requests[ticket], let outcome = outcomes[ticket] else {
            Issue.record("\(ticket) is unknown", sourceLocation: sourceLocation)
            return
        }
        outcome.check(request, scheduler.configuration, seed: seed, sourceLocation: sourceLocation)
    }
}
