import Inference

/// Splits a model's layers over workers so that the slowest stage is as fast as it can be.
///
/// The search is over all splits and all orders of the workers, exact but for large clusters of many different machines
/// (see `PlacementProblem.solve`), and deterministic: the same input gives the same placement.
public enum PlacementPlanner {
    /// Which workers get layers.
    public enum Usage: Hashable, Sendable {
        /// As many workers as possible: all of them, unless there are more than layers or one's memory is too small for
        /// even one layer.
        case asManyAsPossible
        /// Those that make the slowest stage fastest; a slow worker may be left out.
        case fastest
    }

    /// Finds the split whose slowest stage is fastest for a step, within every worker's memory; of equally fast ones the
    /// most even, and of equally even ones that which follows the given order.
    ///
    /// A link that is taken for longer than the slowest stage computes counts as the slowest stage.
    ///
    /// - Parameters:
    ///   - pageCount: KV pages that every layer shall have.
    ///   - load: the step that the split is made for.
    public static func plan(
        workers: [WorkerCapacity], model: ModelFootprint, pageCount: Int, usage: Usage = .asManyAsPossible,
        links: ClusterLinks = ClusterLinks(), load: StepLoad = .decode(sequenceCount: 1, depth: 0)
    ) throws(PlacementError) -> Placement {
        try check(workers)
        precondition(pageCount >= 0, "a page count is not negative")
        let problem = PlacementProblem(workers: workers, model: model, pageCount: pageCount, links: links, load: load)
        guard let split = search(problem, usage) else { throw doesNotFit(workers, model, pageCount) }
        return placement(split, problem, pageCount)
    }

    /// Takes a split as it is: so many layers for the first worker, so many for the second and so on.
    public static func plan(
        workers: [WorkerCapacity], model: ModelFootprint, pageCount: Int, layerCounts: [Int],
        load: StepLoad = .decode(sequenceCount: 1, depth: 0)
    ) throws(PlacementError) -> Placement {
        try check(workers)
        let text = layerCounts.map { "\($0)" }.joined(separator: ",")
        let isOrdinary = layerCounts.allSatisfy { $0 > 0 && $0 <= model.layerCount }
        guard isOrdinary, layerCounts.count <= model.layerCount, layerCounts.reduce(0, +) == model.layerCount else {
            throw PlacementError(
                code: .wrongSplit,
                message: "the split \(text) does not add up to the model's \(model.layerCount) layers, at least one "
                    + "per worker")
        }
        guard layerCounts.count <= workers.count else {
            throw PlacementError(
                code: .wrongSplit,
                message: "the split \(text) needs \(layerCounts.count) workers, there are \(workers.count)")
        }
        var assigned: [PlacementProblem.Assigned] = []
        var first = 0
        for (worker, count) in layerCounts.enumerated() {
            guard let layers = LayerRange(first: first, end: first + count) else { continue }
            let neededCount = model.memoryByteCount(of: layers, pageCount: pageCount)
            guard neededCount <= workers[worker].memoryByteCount else {
                throw PlacementError(
                    code: .doesNotFit,
                    message: "layers \(layers) need \(describeBytes(neededCount)) for weights and KV pages, worker "
                        + "\(workers[worker].node) offers \(describeBytes(workers[worker].memoryByteCount)); choose "
                        + "another --split, a smaller --ctx-size, or give it more memory")
            }
            assigned.append(PlacementProblem.Assigned(worker: worker, layers: layers))
            first += count
        }
        let problem = PlacementProblem(
            workers: workers, model: model, pageCount: pageCount, links: ClusterLinks(), load: load)
        return placement(assigned, problem, pageCount)
    }

    /// The largest page count that some placement can hold, or nil when not even the weights fit.
    public static func largestPageCount(workers: [WorkerCapacity], model: ModelFootprint) -> Int? {
        func fits(_ pageCount: Int) -> Bool {
            let problem = PlacementProblem(
                workers: workers, model: model, pageCount: pageCount, links: ClusterLinks(),
                load: .decode(sequenceCount: 1, depth: 0))
            let solutions = problem.solve(.slowest)
            return (1...problem.usedMaximum).contains { solutions.best(usedCount: $0) < .infinity }
        }
        guard (try? check(workers)) != nil, fits(0) else { return nil }
        guard model.kvBytesPerPagePerLayer > 0 else { return Int.max }
        var fitting = 0
        var tooMany = (workers.map(\.memoryByteCount).max() ?? 0) / model.kvBytesPerPagePerLayer + 1
        while tooMany - fitting > 1 {
            let middle = fitting + (tooMany - fitting) / 2
            if fits(middle) { fitting = middle } else { tooMany = middle }
        }
        return fitting
    }

    private static func check(_ workers: [WorkerCapacity]) throws(PlacementError) {
        guard !workers.isEmpty else {
            throw PlacementError(
                code: .noWorkers, message: "there are no workers; start some with: phalanx worker --join HOST:PORT")
        }
    }

    static func placement(
        _ split: [PlacementProblem.Assigned], _ problem: PlacementProblem, _ pageCount: Int
    ) -> Placement {
        let (workers, model) = (problem.workers, problem.costs.model)
        let used = Set(split.map(\.worker))
        let stages = split.map { stage in
            StagePlacement(
                node: workers[stage.worker].node, layers: stage.layers,
                weightByteCount: model.weightByteCount(of: stage.layers),
                kvByteCount: model.kvByteCount(of: stage.layers, pageCount: pageCount),
                predictedSeconds: problem.costs.cost(of: workers[stage.worker], layers: stage.layers).seconds)
        }
        let spares = workers.indices.filter { !used.contains($0) }.map { workers[$0].node }
        return Placement(stages: stages, spares: spares, pageCount: pageCount)
    }

    private static func doesNotFit(
        _ workers: [WorkerCapacity], _ model: ModelFootprint, _ pageCount: Int
    ) -> PlacementError {
        let whole = LayerRange(first: 0, end: model.layerCount)
        let weights = whole.map(model.weightByteCount) ?? 0
        let kv = whole.map { model.kvByteCount(of: $0, pageCount: pageCount) } ?? 0
        let offers = workers.prefix(8).map { "\($0.node) \(describeBytes($0.memoryByteCount))" }
        let more = workers.count > 8 ? " and \(workers.count - 8) more" : ""
        let total = workers.reduce(0) { sum, worker in
            let (next, overflow) = sum.addingReportingOverflow(max(0, worker.memoryByteCount))
            return overflow ? Int.max : next
        }
        let cure =
            switch largestPageCount(workers: workers, model: model) {
            case .some(let largest) where largest > 0:
                "use --ctx-size \(largest * KVPage.positionCount) or less, or add memory or workers"
            default: "not even a context of \(KVPage.positionCount) fits: add memory or workers"
            }
        return PlacementError(
            code: .doesNotFit,
            message: "the model needs \(describeBytes(weights)) for weights + \(describeBytes(kv)) for the KV pages of "
                + "a context of \(pageCount * KVPage.positionCount) tokens, and in each worker "
                + "\(describeBytes(model.workspaceByteCount)) to work with; \(workers.count) workers offer "
                + "\(describeBytes(total)) (\(offers.joined(separator: ", "))\(more)), and no split fits; \(cure)")
    }
}
