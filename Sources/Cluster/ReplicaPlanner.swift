import Inference

/// Divides workers into pipelines that each hold the whole model with its KV pages.
///
/// What counts is the forecast of all pipelines together, each with as many streams as may run in it at once, or as its KV
/// pages can hold: weights that are there several times leave less memory for streams, so more pipelines are not always
/// more tokens. Workers that are given as one unit stay together: those of one machine share its memory bandwidth, and
/// would only read the weights twice.
///
/// Exact over all divisions where there are few (256 sets of units, equal ones counted once); otherwise a few
/// numbers of pipelines are tried whose memory is about equal. Deterministic in both cases.
public struct ReplicaPlanner: Sendable {
    private let model: ModelFootprint
    private let pageCount: Int
    private let pageLimit: Int
    private let streamLimit: Int
    private let links: ClusterLinks
    private let load: StepLoad
    private let depth: Int

    /// - Parameters:
    ///   - pageCount: KV pages that every pipeline must have, those of one context.
    ///   - pageLimit: the most that are of use to one.
    ///   - streamLimit: the most streams that run in one at once.
    ///   - depth: positions before the token of each stream; nil for an ordinary conversation.
    public init(
        model: ModelFootprint, pageCount: Int, pageLimit: Int, streamLimit: Int, links: ClusterLinks = ClusterLinks(),
        depth: Int? = nil
    ) {
        self.model = model
        self.pageCount = pageCount
        self.pageLimit = pageLimit
        self.streamLimit = streamLimit
        self.links = links
        load = depth.map { .decode(sequenceCount: 1, depth: $0) } ?? .typical(pageCount: pageCount)
        self.depth = load.kvPositionCount
    }

    /// One pipeline of all workers that can be part of it, or of those that `layerCounts` gives layers to.
    public func pipeline(
        _ workers: [WorkerCapacity], layerCounts: [Int]? = nil
    ) throws(PlacementError) -> PlannedReplica {
        let placement =
            if let layerCounts {
                try PlacementPlanner.plan(
                    workers: workers, model: model, pageCount: pageCount, layerCounts: layerCounts, load: load)
            } else {
                try PlacementPlanner.plan(
                    workers: workers, model: model, pageCount: pageCount, links: links, load: load)
            }
        return forecast(placement, workers)
    }

    /// The same, or nil when the model does not fit.
    private func fittingPipeline(_ workers: [WorkerCapacity]) -> PlannedReplica? {
        let problem = PlacementProblem(workers: workers, model: model, pageCount: pageCount, links: links, load: load)
        return PlacementPlanner.search(problem, .asManyAsPossible).map { split in
            forecast(PlacementPlanner.placement(split, problem, pageCount), workers)
        }
    }

    private func forecast(_ placement: Placement, _ workers: [WorkerCapacity]) -> PlannedReplica {
        let filled = PlacementPlanner.filled(placement, workers: workers, model: model, pageLimit: pageLimit)
        let forecaster = Forecaster(
            workers: workers.map(withMultiplying), model: model, links: links, depth: depth, chunkRowCount: 1)
        // A stream is half way through, on average.
        let streamPageCount = min(max(pageCount, 1), KVPage.count(holding: 2 * depth + 1))
        let streamCount = max(1, min(streamLimit, filled.pageCount / streamPageCount))
        let forecast = forecaster.forecast(filled, streamCount: streamCount)
        return PlannedReplica(placement: filled, tokensPerSecond: forecast.manyStreams.rate.tokensPerSecond)
    }

    /// The best division into any number of pipelines up to a limit. Empty when no pipeline fits.
    ///
    /// - Parameters:
    ///   - usesAll: no unit is left out, even if the others would be faster without it.
    ///   - prefersMany: take as many pipelines as there can be, whatever the forecast.
    public func divide(
        _ units: [[WorkerCapacity]], limit: Int, usesAll: Bool, prefersMany: Bool = false
    ) -> [PlannedReplica] {
        guard !units.isEmpty, limit > 0 else { return [] }
        let divisions =
            if let table = DivisionTable(units, areLinksAlike: links.special.isEmpty, limit: limit) {
                table.divisions(usesAll: usesAll, fittingPipeline)
            } else {
                balanced(units, limit: limit)
            }
        let feasible = divisions.filter { !$0.isEmpty }
        if prefersMany { return feasible.max { $0.count < $1.count } ?? [] }
        var best: [PlannedReplica] = []
        for division in feasible.sorted(by: { $0.count < $1.count }) where Self.sum(division) > Self.sum(best) {
            best = division
        }
        return best
    }

    /// The worker with an assumption in the place of a speed that nobody measured: without any, streams beyond the first
    /// would cost nothing, and no division were better than another.
    private func withMultiplying(_ worker: WorkerCapacity) -> WorkerCapacity {
        guard worker.multiplyAddsPerSecond == nil, model.layerMultiplyAddCount > 0 else { return worker }
        let layerByteCount = Double(model.layerByteCounts.reduce(0, +)) / Double(model.layerCount)
        let passesPerSecond = CostModel.speed(worker) / max(layerByteCount, 1)
        return WorkerCapacity(
            node: worker.node, memoryByteCount: worker.memoryByteCount, bytesPerSecond: worker.bytesPerSecond,
            multiplyAddsPerSecond: passesPerSecond * Double(model.layerMultiplyAddCount) * Self.assumedRowCount)
    }

    /// So many rows at once take as long to multiply with the weights as the weights take to be read, about.
    private static let assumedRowCount = 16.0

    /// The forecast of pipelines together, each with as many streams as it can run at once.
    public static func sum(_ replicas: [PlannedReplica]) -> Double { replicas.reduce(0) { $0 + $1.tokensPerSecond } }

    /// How many numbers of pipelines are tried where there are too many divisions.
    private static let attemptLimit = 4

    /// From the most pipelines that the memory could hold downwards: the largest units first, each to the pipeline that
    /// has least memory so far.
    private func balanced(_ units: [[WorkerCapacity]], limit: Int) -> [[PlannedReplica]] {
        func memory(_ workers: [WorkerCapacity]) -> Double { workers.reduce(0) { $0 + Double($1.memoryByteCount) } }
        let needed = LayerRange(first: 0, end: model.layerCount).map {
            Double(model.memoryByteCount(of: $0, pageCount: pageCount))
        }
        let most = memory(units.flatMap { $0 }) / max(needed ?? 1, 1)
        let sorted = units.indices.sorted { (memory(units[$1]), $0) < (memory(units[$0]), $1) }
        var divisions: [[PlannedReplica]] = []
        var count = min(limit, units.count, Int(min(most, Double(units.count))))
        while count > 0, divisions.count < Self.attemptLimit {
            var groups = [[Int]](repeating: [], count: count)
            var sizes = [Double](repeating: 0, count: count)
            for unit in sorted {
                let least = sizes.indices.min { (sizes[$0], $0) < (sizes[$1], $1) } ?? 0
                groups[least].append(unit)
                sizes[least] += memory(units[unit])
            }
            let planned = groups.map { group in fittingPipeline(group.sorted().flatMap { units[$0] }) }
            if planned.allSatisfy({ $0 != nil }) { divisions.append(planned.compactMap { $0 }) }
            count -= 1
        }
        return divisions
    }
}
