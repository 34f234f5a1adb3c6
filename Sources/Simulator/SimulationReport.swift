import Cluster
public import Inference

/// What a simulated cluster did: every promise was kept, and this is how fast.
public struct SimulationReport: Hashable, Sendable, Encodable {
    public struct Stage: Hashable, Sendable, Encodable {
        public let worker: NodeID
        public let layers: LayerRange
        /// Time spent computing, of the time in which there were requests.
        public let busyFraction: Double
        public let stepCount: Int
        /// Rows per step.
        public let meanRowCount: Double
    }

    /// Of some waiting times, in milliseconds.
    public struct Distribution: Hashable, Sendable, Encodable {
        public let p50Milliseconds: Double
        public let p99Milliseconds: Double

        /// Nil of none.
        init?(_ values: [Double]) {
            guard !values.isEmpty else { return nil }
            let sorted = values.sorted()
            func at(_ part: Double) -> Double { sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))] }
            p50Milliseconds = at(0.5)
            p99Milliseconds = at(0.99)
        }
    }

    public let seed: UInt64
    public let stages: [Stage]
    public let requestCount: Int
    /// Times that a request was sent away for a while, since too many waited.
    public let refusalCount: Int
    /// Requests that ended with an error, since too few workers were there for too long, or died of them.
    public let failureCount: Int
    /// Times that a plan was carried out.
    public let planCount: Int
    public let promptTokenCount: Int
    public let cachedTokenCount: Int
    public let answerTokenCount: Int
    /// Sequences that were put back for want of pages.
    public let preemptionCount: Int
    /// Virtual time in which there were requests.
    public let seconds: Double
    public let tokensPerSecond: Double
    /// Time that stages computed, of the time of all stages in which there were requests.
    public let efficiency: Double
    /// From asking to the first token.
    public let firstToken: Distribution?
    /// From token to token of a stream.
    public let gap: Distribution?

    init(_ simulation: Simulation) {
        let milliseconds = max(simulation.busy.milliseconds, 1e-6)
        let workers = Dictionary(
            simulation.workers.map { ($0.capacity.node, $0) }, uniquingKeysWith: { first, _ in first })
        stages = (simulation.coordinator.placement?.stages ?? []).map { stage in
            let worker = workers[stage.node]
            let stepCount = Int(worker?.stepCount ?? 0)
            return Stage(
                worker: stage.node, layers: stage.layers,
                busyFraction: (worker?.busyMilliseconds ?? 0) / milliseconds, stepCount: stepCount,
                meanRowCount: Double(worker?.rowCount ?? 0) / Double(max(stepCount, 1)))
        }
        let statistics = simulation.ledger.statistics
        seed = simulation.scenario.seed
        requestCount = statistics.completedCount
        refusalCount = statistics.refusalCount
        failureCount = statistics.failureCount
        planCount = simulation.coordinator.planCount
        promptTokenCount = statistics.promptTokenCount
        cachedTokenCount = statistics.cachedTokenCount
        answerTokenCount = statistics.tokenCount
        preemptionCount = simulation.coordinator.preemptionCount
        seconds = milliseconds / 1000
        tokensPerSecond = Double(statistics.tokenCount) / seconds
        efficiency = stages.reduce(0) { $0 + $1.busyFraction } / Double(max(stages.count, 1))
        firstToken = Distribution(statistics.firstTokenMilliseconds)
        gap = Distribution(statistics.gapMilliseconds)
    }
}
