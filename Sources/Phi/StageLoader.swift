public import Checkpoint
public import Host
public import Inference
import Kernels

extension StageModel {
    /// Loads the weights of a range of layers: from the cache what is there, the rest from the checkpoint, packed.
    ///
    /// The first layer of the model brings the embedding along, the last one norm and head. All threads of the pool work;
    /// only the bytes of these layers are touched.
    ///
    /// - Parameters:
    ///   - layers: within the checkpoint's layer count.
    ///   - cache: of this checkpoint; what had to be packed is written there, in the background.
    ///   - kept: parts of this checkpoint that are in memory already. They are taken over, what is loaded is added, and
    ///     what these layers do not need is let go of before anything is loaded.
    ///   - copyingTime: how long weights are copied from the cache into huge pages. The rest is computed with where it
    ///     lies in the cache's files at first, and copied meanwhile: a start must not wait for memory that is slow to get,
    ///     as in a virtual machine that had given it back.
    ///   - progress: called on this thread, from 0 bytes to all; throwing from it stops the loading.
    /// - Throws: `PhiError` or `CheckpointError` naming the tensor and the cure.
    public static func load(
        _ checkpoint: Checkpoint, layers: LayerRange, pool: ComputePool, cache: PackedModelCache? = nil,
        kept: LoadedParts? = nil, copyingTime: Duration = .milliseconds(800),
        progress: (LoadProgress) throws -> Void = { _ in }
    ) throws -> StageModel {
        let configuration = checkpoint.configuration
        guard layers.end <= configuration.layerCount else {
            throw PhiError(
                code: .model,
                message:
                    "layers \(layers) were assigned, but \(checkpoint.path) has \(configuration.layerCount) layers; "
                    + "give every node the same checkpoint")
        }
        return try withoutActuallyEscaping(progress) { progress in
            var loader = try StageLoader(
                checkpoint: checkpoint, layers: layers, pool: pool, cache: cache, kept: kept,
                copyingTime: copyingTime, progress: progress)
            return try loader.load()
        }
    }
}

extension StageModel {
    /// The parts that a stage is loaded from, in order.
    public static func parts(of configuration: ModelConfiguration, layers: LayerRange) -> [PackedPart] {
        let isFirst = layers.first == 0
        let isLast = layers.end == configuration.layerCount
        // With both ends of a model with tied embeddings here, the head's weights serve as the table, too.
        let hasTable = isFirst && !(isLast && configuration.tiedEmbeddings)
        return (hasTable ? [.embedding] : []) + (layers.first..<layers.end).map { .layer($0) }
            + (isLast ? [.head] : [])
    }
}

/// Where the weights of a stage came from.
public struct LoadSummary: Sendable, Hashable {
    /// Parts that were in memory already.
    public internal(set) var keptPartCount = 0
    /// Parts (layers, embedding, head) and their bytes that the cache had.
    public internal(set) var cachedPartCount = 0
    public internal(set) var cachedByteCount = 0
    /// Bytes of them that are computed with in place until they are copied.
    public internal(set) var inPlaceByteCount = 0
    /// Parts and their bytes that were packed from the checkpoint.
    public internal(set) var packedPartCount = 0
    public internal(set) var packedByteCount = 0
}

/// Loads the parts of a stage one after the other and counts what was done.
private struct StageLoader {
    private let checkpoint: Checkpoint
    private let layers: LayerRange
    private let pool: ComputePool
    private let cache: PackedModelCache?
    private let kept: LoadedParts?
    private let progress: (LoadProgress) throws -> Void
    private let plans: [PackedPlan]
    private let totalByteCount: Int

    private let began = ContinuousClock.now
    private let copyingTime: Duration
    private var doneByteCount = 0
    private var summary = LoadSummary()

    init(
        checkpoint: Checkpoint, layers: LayerRange, pool: ComputePool, cache: PackedModelCache?,
        kept: LoadedParts?, copyingTime: Duration, progress: @escaping (LoadProgress) throws -> Void
    ) throws {
        self.checkpoint = checkpoint
        self.layers = layers
        self.pool = pool
        self.cache = cache
        self.kept = kept
        self.copyingTime = copyingTime
        self.progress = progress
        let parts = StageModel.parts(of: checkpoint.configuration, layers: layers)
        plans = try parts.map { part throws(CheckpointError) in try checkpoint.packedPlan(of: part) }
        totalByteCount = plans.reduce(0) { $0 + $1.byteCount }
        kept?.keep(only: Set(parts))
    }

    mutating func load() throws -> StageModel {
        try report(cache == nil ? .packing : .readingCache)
        var embedding: TokenEmbedding?
        var decoderLayers: [DecoderLayer] = []
        var output: (norm: LayerRows, head: PackedMatrix)?
        for (index, plan) in plans.enumerated() {
            switch try part(plan, next: index + 1 < plans.count ? plans[index + 1] : nil) {
            case .embedding(let table): embedding = .table(table)
            case .layer(let layer): decoderLayers.append(layer)
            case .head(let norm, let matrix): output = (norm, matrix)
            }
        }
        cache?.startMoving()
        if layers.first == 0, embedding == nil, let output { embedding = .tied(output.head) }
        return try StageModel(
            configuration: checkpoint.configuration, layers: layers, decoderLayers: decoderLayers,
            embedding: embedding, output: output, weightByteCount: totalByteCount, loading: summary)
    }

    /// Takes a part over or loads it.
    private mutating func part(_ plan: PackedPlan, next: PackedPlan?) throws -> LoadedParts.Part {
        if let part = kept?[plan.part] {
            summary.keptPartCount += 1
            doneByteCount += plan.byteCount
            try report(.readingCache)
            return part
        }
        let part = try LoadedParts.Part(try load(plan, next: next))
        kept?[plan.part] = part
        return part
    }

    private mutating func load(_ plan: PackedPlan, next: PackedPlan?) throws -> PackedContent {
        let isLate = ContinuousClock.now - began >= copyingTime
        if let content = try explainingMemory({
            try cache?.load(plan, pool: pool, inPlace: isLate) { try report(.comparing) }
        }) {
            summary.cachedPartCount += 1
            summary.cachedByteCount += plan.byteCount
            if isLate { summary.inPlaceByteCount += plan.byteCount }
            doneByteCount += plan.byteCount
            try report(.readingCache)
            return content
        }
        let content = try explainingMemory { try PackedContent(plan) }
        // The disk works ahead while this part is packed.
        next?.adviseWillNeed()
        let source = try content.pack(pool: pool) { try report(.packing, adding: $0) }
        cache?.write(content, source: source)
        summary.packedPartCount += 1
        summary.packedByteCount += plan.byteCount
        doneByteCount += plan.byteCount
        return content
    }

    private func explainingMemory<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as HostError {
            throw PhiError(code: .memory, message: "weights: \(error.message); give this worker fewer layers")
        }
    }

    private func report(_ activity: LoadProgress.Activity, adding byteCount: Int = 0) throws {
        try progress(
            LoadProgress(
                activity: activity, doneByteCount: doneByteCount + byteCount, totalByteCount: totalByteCount))
    }
}

extension LoadedParts.Part {
    fileprivate init(_ content: PackedContent) throws {
        switch content.plan.part {
        case .embedding: self = .embedding(try EmbeddingTable(content))
        case .layer: self = .layer(try DecoderLayer(content))
        case .head: self = .head(norm: content.vector(.outputNorm), matrix: try content.matrix(.head))
        }
    }
}

extension DecoderLayer {
    fileprivate init(_ content: PackedContent) throws {
        self.init(
            attentionNorm: content.vector(.attentionNorm), queryKeyValue: try content.matrix(.queryKeyValue),
            attentionOutput: try content.matrix(.attentionOutput),
            feedForwardNorm: content.vector(.feedForwardNorm), gateUp: try content.matrix(.gateUp),
            down: try content.matrix(.down))
    }
}

extension EmbeddingTable {
    fileprivate init(_ content: PackedContent) throws {
        let table = content.table(.embedding)
        try self.init(
            format: table.format, columns: table.columns, rowCount: table.rows, buffer: content.buffer,
            offset: table.offset)
    }
}
