import Inference

/// Splits a model's layers over workers so that the slowest stage is as fast as it can be.
///
/// The search is exact for the given order of workers, and deterministic: the same input gives the same placement.
public enum PlacementPlanner {
    /// Which workers get layers.
    public enum Usage: Hashable, Sendable {
        /// As many workers as possible: all of them, unless there are more than layers or one's memory is too small for
        /// even one layer.
        case asManyAsPossible
        /// Those that make the slowest stage fastest; a slow worker may be left out.
        case fastest
    }

    /// Finds the split whose slowest stage (bytes / speed) is fastest, within every worker's memory; of equally fast
    /// ones the most even.
    ///
    /// - Parameters:
    ///   - workers: in the order in which they may follow each other in the pipeline.
    ///   - pageCount: KV pages that every layer shall have.
    /// - Complexity: O(workers^2 x layers^2).
    public static func plan(
        workers: [WorkerCapacity], model: ModelFootprint, pageCount: Int, usage: Usage = .asManyAsPossible
    ) throws(PlacementError) -> Placement {
        try check(workers)
        precondition(pageCount >= 0, "a page count is not negative")
        guard let split = search(workers, model, pageCount, usage) else {
            throw doesNotFit(workers, model, pageCount)
        }
        return placement(split, workers, model, pageCount)
    }

    /// Takes a split as it is: so many layers for the first worker, so many for the second and so on.
    public static func plan(
        workers: [WorkerCapacity], model: ModelFootprint, pageCount: Int, layerCounts: [Int]
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
        var assigned: [Assigned] = []
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
            assigned.append(Assigned(worker: worker, layers: layers))
            first += count
        }
        return placement(assigned, workers, model, pageCount)
    }

    /// The largest page count that some placement can hold, or nil when not even the weights fit.
    public static func largestPageCount(workers: [WorkerCapacity], model: ModelFootprint) -> Int? {
        guard (try? check(workers)) != nil, search(workers, model, 0, .fastest) != nil else { return nil }
        guard model.kvBytesPerPagePerLayer > 0 else { return Int.max }
        var fitting = 0
        var tooMany = (workers.map(\.memoryByteCount).max() ?? 0) / model.kvBytesPerPagePerLayer + 1
        while tooMany - fitting > 1 {
            let middle = fitting + (tooMany - fitting) / 2
            if search(workers, model, middle, .fastest) != nil { fitting = middle } else { tooMany = middle }
        }
        return fitting
    }

    struct Assigned {
        let worker: Int
        let layers: LayerRange
    }

    private static func check(_ workers: [WorkerCapacity]) throws(PlacementError) {
        guard !workers.isEmpty else {
            throw PlacementError(
                code: .noWorkers, message: "there are no workers; start some with: phalanx worker --join HOST:PORT")
        }
    }

    private static func placement(
        _ split: [Assigned], _ workers: [WorkerCapacity], _ model: ModelFootprint, _ pageCount: Int
    ) -> Placement {
        let used = Set(split.map(\.worker))
        let stages = split.map { stage in
            StagePlacement(
                node: workers[stage.worker].node, layers: stage.layers,
                weightByteCount: model.weightByteCount(of: stage.layers),
                kvByteCount: model.kvByteCount(of: stage.layers, pageCount: pageCount),
                predictedSeconds: Double(model.computedByteCount(of: stage.layers)) / speed(workers[stage.worker]))
        }
        let spares = workers.indices.filter { !used.contains($0) }.map { workers[$0].node }
        return Placement(stages: stages, spares: spares, pageCount: pageCount)
    }

    /// A measurement that cannot be (zero, negative, NaN) counts as very slow.
    static func speed(_ worker: WorkerCapacity) -> Double {
        worker.bytesPerSecond.isFinite && worker.bytesPerSecond > 1 ? worker.bytesPerSecond : 1
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
                + "a context of \(pageCount * KVPage.positionCount) tokens; \(workers.count) workers offer "
                + "\(describeBytes(total)) (\(offers.joined(separator: ", "))\(more)), and no split fits; \(cure)")
    }
}
