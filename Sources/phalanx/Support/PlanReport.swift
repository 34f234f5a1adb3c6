import Cluster
import CoordinatorNode
import Inference
import Terminal

/// What `phalanx plan` found: a split, its memory and its predicted speed. Encodes as the JSON that it prints.
struct PlanReport: Encodable {
    struct Question {
        let modelName: String
        let model: ModelFootprint
        let contextLength: Int
        let kvType: KVType
        let streamCount: Int
        /// Positions before the token of each stream.
        let depth: Int
        let chunkRowCount: Int

        var pageCount: Int { KVPage.count(holding: contextLength) }
    }

    struct Stage: Encodable {
        let worker: String
        let threads: Int?
        let layers: LayerRange
        let weightByteCount: Int
        let kvByteCount: Int
        /// Weights, keys and values, and what the program needs besides.
        let memoryByteCount: Int
        let memoryLimitByteCount: Int
        /// For a token of a single stream.
        let stepMilliseconds: Double
    }

    struct Prediction: Encodable {
        let tokensPerSecond: Double
        /// For people.
        let limit: String
    }

    struct Alternative: Encodable {
        let isFaster: Bool
        /// The best split over fewer machines; absent when there is none.
        let workers: [String]?
        let singleStreamTokensPerSecond: Double?
        let manyStreamsTokensPerSecond: Double?
        /// For people.
        let reason: String
    }

    /// Whole pipelines side by side.
    struct Replicas: Encodable {
        struct Pipeline: Encodable {
            let stages: [Stage]
            let singleStreamTokensPerSecond: Double
        }

        let pipelines: [Pipeline]
        /// Streams that run at once in each.
        let streamLimit: Int
        /// With so many streams in each, or as many as its memory holds; all together.
        let tokensPerSecond: Double
        /// The same of the one pipeline above.
        let onePipelineTokensPerSecond: Double
    }

    let model: String
    let layerCount: Int
    let contextLength: Int
    let kvType: String
    let stages: [Stage]
    let spares: [String]
    /// Positions that the KV pages of the smallest stage could hold, if they got all memory that is left.
    let kvPositionCapacity: Int?
    let depth: Int
    let singleStream: Prediction
    let streamCount: Int
    let microBatchCount: Int
    let manyStreams: Prediction
    /// Absent when the speed of multiplying is not known.
    let prompt: Prediction?
    /// Whether fewer machines would be faster for a single stream.
    let fewer: Alternative
    /// Whether they would be for many.
    let fewerForMany: Alternative?
    /// Absent when one pipeline of all workers is best.
    let replicas: Replicas?
    /// What the predictions do not know.
    let notes: [String]

    /// Plans; throws `PlacementError` when the model does not fit.
    init(_ question: Question, _ specification: ClusterSpecification) throws {
        let capacities = specification.workers.map(\.capacity)
        try Self.checkSize(workers: capacities.count, layers: question.model.layerCount)
        let load = StepLoad.decode(sequenceCount: 1, depth: question.depth)
        let placement = try PlacementPlanner.plan(
            workers: capacities, model: question.model, pageCount: question.pageCount, links: specification.links,
            load: load)
        let forecaster = Forecaster(
            workers: capacities, model: question.model, links: specification.links, depth: question.depth,
            chunkRowCount: question.chunkRowCount)
        let forecast = forecaster.forecast(placement, streamCount: question.streamCount)
        let comparison = FewerMachines(
            than: placement, workers: capacities, model: question.model, links: specification.links, load: load,
            forecaster: forecaster, streamCount: question.streamCount)
        let fastest = try PlacementPlanner.plan(
            workers: capacities, model: question.model, pageCount: question.pageCount, usage: .fastest,
            links: specification.links, load: load)

        model = question.modelName
        layerCount = question.model.layerCount
        contextLength = question.contextLength
        kvType = question.kvType.name
        stages = Self.stages(placement, question, specification)
        spares = placement.spares.map(\.rawValue)
        kvPositionCapacity = Self.capacity(stages, question.model)
        depth = question.depth
        singleStream = Prediction(forecast.singleStream)
        streamCount = question.streamCount
        microBatchCount = forecast.manyStreams.microBatchCount
        manyStreams = Prediction(forecast.manyStreams.rate)
        prompt = forecast.prompt.map { Prediction($0) }
        fewer = Alternative(comparison)
        fewerForMany = Alternative(
            fastest, than: placement, forecast: forecaster.forecast(fastest, streamCount: question.streamCount),
            own: forecast)
        replicas = Self.replicas(question, specification, forecaster)
        notes = Self.notes(
            placement, capacities, streamCount: question.streamCount, depth: question.depth,
            capacity: kvPositionCapacity)
    }

    /// The search takes workers x stages x layers^2 steps, a few times.
    private static func checkSize(workers: Int, layers: Int) throws {
        let perStage = 1e9 / Double(layers) / Double(layers)
        let most = max(perStage / Double(layers), min(perStage.squareRoot(), Double(layers)))
        guard Double(workers) <= most else {
            throw CommandError(
                "\(workers) workers are too many to search with a model of \(layers) layers; give at most \(Int(most))")
        }
    }

    /// What a cluster of these workers builds, as long as nobody asks for a number of pipelines.
    private static func replicas(
        _ question: Question, _ specification: ClusterSpecification, _ forecaster: Forecaster
    ) -> Replicas? {
        let workers = specification.workers.map(\.capacity)
        let streamLimit = CoordinatorConfiguration.defaultRunningSequenceLimit
        let planner = ReplicaPlanner(
            model: question.model, pageCount: question.pageCount, pageLimit: question.pageCount * streamLimit,
            streamLimit: streamLimit, links: specification.links, depth: question.depth)
        let several = planner.divide(workers.map { [$0] }, limit: workers.count, usesAll: true)
        let one = (try? planner.pipeline(workers))?.tokensPerSecond ?? 0
        guard several.count > 1, ReplicaPlanner.sum(several) > one else { return nil }
        return Replicas(
            pipelines: several.map { replica in
                Replicas.Pipeline(
                    stages: stages(replica.placement, question, specification),
                    singleStreamTokensPerSecond: forecaster.forecast(replica.placement, streamCount: 1).singleStream
                        .tokensPerSecond)
            },
            streamLimit: streamLimit, tokensPerSecond: ReplicaPlanner.sum(several), onePipelineTokensPerSecond: one)
    }

    private static func stages(
        _ placement: Placement, _ question: Question, _ specification: ClusterSpecification
    ) -> [Stage] {
        let workers = Dictionary(
            specification.workers.map { ($0.capacity.node, $0) }, uniquingKeysWith: { first, _ in first })
        return placement.stages.map { stage in
            Stage(
                worker: stage.node.rawValue, threads: workers[stage.node]?.threadCount, layers: stage.layers,
                weightByteCount: stage.weightByteCount, kvByteCount: stage.kvByteCount,
                memoryByteCount: question.model.memoryByteCount(of: stage.layers, pageCount: question.pageCount),
                memoryLimitByteCount: workers[stage.node]?.capacity.memoryByteCount ?? 0,
                stepMilliseconds: stage.predictedSeconds * 1000)
        }
    }

    /// Nil when keys and values take no memory.
    private static func capacity(_ stages: [Stage], _ model: ModelFootprint) -> Int? {
        guard model.kvBytesPerPagePerLayer > 0 else { return nil }
        return stages.map { stage in
            let left = stage.memoryLimitByteCount - stage.memoryByteCount + stage.kvByteCount
            return left / (model.kvBytesPerPagePerLayer * stage.layers.count) * KVPage.positionCount
        }.min()
    }

    private static func notes(
        _ placement: Placement, _ workers: [WorkerCapacity], streamCount: Int, depth: Int, capacity: Int?
    ) -> [String] {
        var notes: [String] = []
        let used = Set(placement.stages.map(\.node))
        let unknown = workers.filter { used.contains($0.node) && $0.multiplyAddsPerSecond == nil }.map(\.node.rawValue)
        if !unknown.isEmpty {
            let names = unknown.prefix(3).joined(separator: ", ")
            let more = unknown.count > 3 ? " and \(unknown.count - 3) more" : ""
            notes.append(
                "int8_gmac_per_s is not given of \(names)\(more): prompts are not predicted, and many streams are taken "
                    + "for limited by memory alone")
        }
        if let capacity, streamCount > 1, capacity / (depth + 1) < streamCount {
            notes.append(
                "the KV pages could hold \(capacity / (depth + 1)) streams of \(depth + 1) positions at once, fewer "
                    + "than \(streamCount): the others would wait")
        }
        return notes
    }
}
