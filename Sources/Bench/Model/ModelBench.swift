public import Checkpoint
import Host
import Inference
public import Kernels
import Phi

/// Measures a model in this process: loading, prefill, and decoding with static batches.
public enum ModelBench {
    /// How long packed weights may take to be written, or moved into huge pages, before measuring begins all the same.
    private static let longestWaitSeconds = 600.0

    /// Runs everything that the plan asks for, on the calling thread and `plan.threadCount - 1` others.
    ///
    /// - Parameters:
    ///   - checkpoint: with weights.
    ///   - isa: whose kernels run; it stays in use afterwards.
    ///   - cache: where packed weights are taken from, or kept; they are written before anything is measured.
    ///   - progress: called on this thread with what is being done and how much of that is done, 0 to 1.
    /// - Throws: `BenchError` when the plan does not fit the model or the machine, and what loading and computing throw.
    public static func run(
        _ plan: ModelBenchPlan, checkpoint: Checkpoint, isa: ISA, cache: PackedCache? = nil,
        progress: @escaping (String, Double) -> Void
    ) throws -> ModelBenchResult {
        let available = Machine.detect().availableByteCount
        try plan.check(
            checkpoint.configuration, availableByteCount: max(0, available - checkpoint.weightByteCount))
        try isa.use()
        let pool = try ComputePool(threadCount: plan.threadCount)

        var loaded: StageModel?
        var packed: PackedModelCache?
        let loadSeconds = try Measurement.time {
            guard let layers = LayerRange(first: 0, end: checkpoint.configuration.layerCount) else { return }
            packed = try cache?.model(checkpoint.fingerprint())
            loaded = try StageModel.load(checkpoint, layers: layers, pool: pool, cache: packed) {
                progress("loading", $0.fraction)
            }
        }
        progress("settling the weights", 0)
        packed?.finishMoving(withinSeconds: Self.longestWaitSeconds)
        cache?.finishWriting(withinSeconds: Self.longestWaitSeconds)
        guard let model = loaded else { throw BenchError("\(checkpoint.path): the model has no layers") }

        progress("measuring the machine", 0)
        let watch = try LimitWatch(
            LimitProbe(pool: pool, largeByteCount: plan.probeByteCount), isa: isa,
            repeatedByteCount: model.stepWeightByteCount)
        let rounds = ModelBenchRounds(plan: plan, model: model, pool: pool, watch: watch, progress: progress)
        let (prefill, decode) = try rounds.run()
        progress("measuring the machine again", 1)
        try watch.update()
        return ModelBenchResult(
            modelName: checkpoint.name, plan: plan, isa: isa.rawValue, loadSeconds: loadSeconds,
            weightByteCount: model.weightByteCount, stepWeightByteCount: model.stepWeightByteCount, prefill: prefill,
            decode: decode, limits: watch.limits)
    }
}

/// The rounds of one run.
private struct ModelBenchRounds {
    let plan: ModelBenchPlan
    let model: StageModel
    let pool: ComputePool
    let watch: LimitWatch
    let progress: (String, Double) -> Void

    /// Limits older than this are measured again between two measurements.
    private static let limitAge = Duration.seconds(30)

    func run() throws -> (prefill: ModelBenchResult.Prefill?, decode: [ModelBenchResult.Decode]) {
        let engine = try BenchEngine(model: model, plan: plan, pool: pool)
        progress("warming up", 0)
        try engine.prefill(tokens(min(64, plan.chunkRowCount, model.configuration.contextLength), salt: 1))
        let prefill = plan.promptCount > 0 ? try measurePrefill(engine) : nil
        let decode = plan.generatedCount > 0 ? try measureDecode(engine) : []
        return (prefill, decode)
    }

    private func measurePrefill(_ engine: BenchEngine) throws -> ModelBenchResult.Prefill {
        let prompt = tokens(plan.promptCount, salt: 2)
        var rounds: [Measurement] = []
        for round in 0..<plan.repeatCount {
            rounds.append(
                try Measurement.of {
                    try engine.prefill(prompt) { done in
                        report("prefill", done + round * prompt.count, of: plan.repeatCount * prompt.count)
                    }
                })
        }
        let multiplyAddCount =
            Double(model.layerMultiplyAddCount) * Double(prompt.count) + Double(model.headMultiplyAddCount)
        return ModelBenchResult.Prefill(
            tokenCount: prompt.count, multiplyAddCount: multiplyAddCount, rounds: rounds)
    }

    private func measureDecode(_ engine: BenchEngine) throws -> [ModelBenchResult.Decode] {
        let context = tokens(plan.depth, salt: 3)
        let most = try engine.makeStreams(plan.streamCounts.max() ?? 1, context: context) { done in
            report("filling \(context.count) positions", done, of: context.count)
        }
        return try plan.streamCounts.map { count in
            try watch.update(after: Self.limitAge)
            var streams = Array(most.prefix(count))
            try engine.admit(&streams)
            var rounds: [Measurement] = []
            for round in 0..<plan.repeatCount {
                report("decoding with \(count) streams", round, of: plan.repeatCount)
                rounds.append(try Measurement.of { try engine.decode(&streams, count: plan.generatedCount) })
            }
            engine.retire(streams)
            return ModelBenchResult.Decode(
                streamCount: count, tokenCount: count * plan.generatedCount,
                byteCount: Double(model.stepWeightByteCount) * Double(plan.generatedCount)
                    + Double(count) * plan.keyValueByteCount(model.configuration),
                rounds: rounds)
        }
    }

    private func report(_ what: String, _ done: Int, of total: Int) {
        progress(what, Double(done) / Double(max(1, total)))
    }

    /// Token ids that mean nothing, the same every time.
    private func tokens(_ count: Int, salt: UInt64) -> [Int32] {
        var state = salt &* 0x9e37_79b9_7f4a_7c15
        return (0..<count).map { _ in
            // Knuth's MMIX generator; the upper bits are good enough to spread over a vocabulary.
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int32((state >> 33) % UInt64(model.configuration.vocabularySize))
        }
    }
}
