import Inference

/// KV pages beyond those that a plan must have: what the workers' memory leaves is given to more sequences at once.
extension PlacementPlanner {
    /// The same split with as many KV pages as its tightest stage can hold, at most `pageLimit` and at least as many as
    /// it has.
    public static func filled(
        _ placement: Placement, workers: [WorkerCapacity], model: ModelFootprint, pageLimit: Int
    ) -> Placement {
        guard model.kvBytesPerPagePerLayer > 0 else { return placement }
        var pageCount = pageLimit
        for stage in placement.stages {
            guard let worker = workers.first(where: { $0.node == stage.node }) else { return placement }
            let left = worker.memoryByteCount - model.memoryByteCount(of: stage.layers, pageCount: 0)
            pageCount = min(pageCount, left / (model.kvBytesPerPagePerLayer * stage.layers.count))
        }
        guard pageCount > placement.pageCount else { return placement }
        let stages = placement.stages.map { stage in
            StagePlacement(
                node: stage.node, layers: stage.layers, weightByteCount: stage.weightByteCount,
                kvByteCount: model.kvByteCount(of: stage.layers, pageCount: pageCount),
                predictedSeconds: stage.predictedSeconds)
        }
        return Placement(stages: stages, spares: placement.spares, pageCount: pageCount)
    }
}
