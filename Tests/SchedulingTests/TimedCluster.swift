import Inference
import Testing

@testable import Scheduling

/// What the pipeline's parts cost, in milliseconds.
struct PipelineCost {
    var stageCount: Int
    /// Of a step in a stage, whatever its rows: the weights are read.
    var step: Double
    /// Of a row in a stage.
    var row: Double
    /// From one stage to the next, from the coordinator to the first and from the last to the coordinator.
    var link = 0.0
    /// Of a step before the first stage, where one waits for another.
    var dispatch = 0.0
    /// Whether only one stage can compute at a time.
    var sharesBus = false
    /// Whether a stage computes while it reads the weights, so that the longer of the two counts.
    var overlaps = false

    /// Of a step in a stage.
    func milliseconds(rowCount: Int) -> Double {
        overlaps ? max(step, row * Double(rowCount)) : step + row * Double(rowCount)
    }
}

/// A toy cluster in virtual time: who computes what when follows from `PipelineCost` alone.
struct TimedCluster {
    var cluster: ToyCluster
    private let cost: PipelineCost
    private var events: [(time: Double, order: Int, event: Event)] = []
    private var eventCount = 0
    private var freeAt: [Int: Double] = [:]
    /// When the tokens of each request came.
    private(set) var tokenTimes: [RequestTicket: [Double]] = [:]
    private(set) var stepCount = 0

    private enum Event {
        case submit(GenerationRequest)
        /// A step comes to a stage (or, before the first, to be dispatched).
        case arrive(StepResult, rowCount: Int, stage: Int)
        case result(StepResult)
    }

    init(_ configuration: SchedulerConfiguration, pageCount: Int, cost: PipelineCost) {
        cluster = ToyCluster(configuration, pageCount: pageCount, stageCount: cost.stageCount, seed: 1)
        self.cost = cost
    }

    mutating func submit(_ request: GenerationRequest, at time: Double = 0) { add(.submit(request), at: time) }

    private mutating func add(_ event: Event, at time: Double) {
        let index = events.lastIndex { $0.time <= time }.map { $0 + 1 } ?? 0
        events.insert((time, eventCount, event), at: index)
        eventCount += 1
    }

    /// Runs until nothing is left to do, or until `end`.
    mutating func run(until end: Double = .infinity) throws {
        while let next = events.first, next.time <= end {
            events.removeFirst()
            cluster.now = next.time
            switch next.event {
            case .submit(let request):
                let ticket = try cluster.submit(request)
                tokenTimes[ticket] = []
            case .arrive(let result, let rowCount, let stage):
                compute(result, rowCount: rowCount, stage: stage)
                continue
            case .result(let result):
                cluster.expect(result, .applied)
            }
            for event in cluster.scheduler.takeEvents() {
                if case .event(let ticket, .token) = event { tokenTimes[ticket]?.append(cluster.now) }
                cluster.record(event)
            }
            while let step = cluster.scheduler.nextStep(now: cluster.now) {
                stepCount += 1
                let result = cluster.pipeline.run(step)
                add(.arrive(result, rowCount: step.rowCount, stage: -1), at: cluster.now)
            }
        }
        #expect(cluster.pipeline.problems == [])
    }

    private mutating func compute(_ result: StepResult, rowCount: Int, stage: Int) {
        guard stage < cost.stageCount else { return add(.result(result), at: cluster.now) }
        let isDispatch = stage < 0
        let duration = isDispatch ? cost.dispatch : cost.milliseconds(rowCount: rowCount)
        let resource = isDispatch ? -1 : cost.sharesBus ? 0 : stage
        let end = max(cluster.now, freeAt[resource, default: 0]) + duration
        freeAt[resource] = end
        add(.arrive(result, rowCount: rowCount, stage: stage + 1), at: end + cost.link)
    }

    /// The times between the tokens of a request that came after `start`, in ascending order.
    func gaps(_ ticket: RequestTicket, after start: Double = 0) -> [Double] {
        let times = (tokenTimes[ticket] ?? []).filter { $0 >= start }
        return zip(times.dropFirst(), times).map { $0 - $1 }.sorted()
    }
}

extension [Double] {
    /// Of ascending numbers, the one that a fraction of them is not above.
    func quantile(_ fraction: Double) -> Double { self[Swift.min(Int(Double(count) * fraction), count - 1)] }
}
