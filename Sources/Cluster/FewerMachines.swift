public import Inference

/// Whether a single stream would be faster on fewer machines, and why.
///
/// Stages of one stream work one after the other, so every machine more adds a link, and a slow one adds time; what it
/// brings is memory, and speed for many streams.
public struct FewerMachines: Hashable, Sendable {
    public enum Verdict: Hashable, Sendable {
        /// The fastest placement for one stream has fewer stages.
        case faster(Placement, forecast: Forecast, reason: Reason)
        /// With fewer machines the model does not fit into memory.
        case memory
        /// The fastest one with fewer stages is not faster.
        case slower(Placement, forecast: Forecast)
        /// There is one machine only.
        case single
    }

    /// What the machines that are left out would cost.
    public enum Reason: Hashable, Sendable {
        /// Seconds per token on links that would not be needed.
        case links(seconds: Double)
        /// The layers of this worker, which takes so much longer for them than the others would.
        case slowWorker(NodeID, seconds: Double)
    }

    public let verdict: Verdict

    /// What is gained by less is not worth saying.
    private static let leastGain = 1.005

    public init(
        than placement: Placement, workers: [WorkerCapacity], model: ModelFootprint, links: ClusterLinks,
        load: StepLoad, forecaster: Forecaster, streamCount: Int
    ) {
        let stageCount = placement.stages.count
        guard stageCount > 1 else {
            verdict = .single
            return
        }
        let problem = PlacementProblem(
            workers: workers, model: model, pageCount: placement.pageCount, links: links, load: load)
        let solutions = problem.solve(.sum)
        let count = (1..<stageCount).min {
            (solutions.best(usedCount: $0), $0) < (solutions.best(usedCount: $1), $1)
        }
        guard let count, let split = solutions.split(usedCount: count) else {
            verdict = .memory
            return
        }
        let fewer = PlacementPlanner.placement(split, problem, placement.pageCount)
        let forecast = forecaster.forecast(fewer, streamCount: streamCount)
        let own = forecaster.forecast(placement, streamCount: streamCount)
        guard forecast.singleStream.tokensPerSecond > own.singleStream.tokensPerSecond * Self.leastGain else {
            verdict = .slower(fewer, forecast: forecast)
            return
        }
        verdict = .faster(
            fewer, forecast: forecast,
            reason: Self.reason(placement, fewer, linkSeconds: own.linkSeconds - forecast.linkSeconds))
    }

    /// The larger of what links and slower machines cost.
    private static func reason(_ more: Placement, _ fewer: Placement, linkSeconds: Double) -> Reason {
        func stageSeconds(_ placement: Placement) -> Double {
            placement.stages.reduce(0) { $0 + $1.predictedSeconds }
        }
        let lost = stageSeconds(more) - stageSeconds(fewer)
        guard lost > linkSeconds else { return .links(seconds: linkSeconds) }
        // Of those left out, or given less, the one that is slowest for its layers.
        let kept = Dictionary(fewer.stages.map { ($0.node, $0.layers.count) }, uniquingKeysWith: { first, _ in first })
        let slow = more.stages.filter { (kept[$0.node] ?? 0) < $0.layers.count }
            .max { $0.predictedSeconds / Double($0.layers.count) < $1.predictedSeconds / Double($1.layers.count) }
        return slow.map { .slowWorker($0.node, seconds: lost) } ?? .links(seconds: linkSeconds)
    }
}
