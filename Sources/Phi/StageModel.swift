public import Checkpoint
public import Inference
import Kernels

/// The weights of one stage: a range of layers, with the embedding on the first stage and norm and head on the last.
///
/// Use, on a worker (all of it off Swift's cooperative pool; everything here blocks and computes):
///
///     let checkpoint = try Checkpoint.open(path)
///     let pool = try ComputePool(threadCount: threads)
///     let cache = PackedCache(settings).model(try checkpoint.fingerprint())          // or nil
///     let model = try StageModel.load(checkpoint, layers: assignment.layers, pool: pool, cache: cache) { progress in
///         ...                                                          // bytes of packed weights
///     }
///     let runner = try StageRunner(
///         model: model, kvType: assignment.kvType, pageCount: assignment.pageCount,
///         maxRowCount: assignment.maxRowCount, vocabularyLimit: assignment.vocabularyLimit, pool: pool)
///     // ready: report runner.memoryByteCount
///     switch try runner.run(step, rows: [], willCompute: { layer in ... }) {   // later stages: the activation's rows
///     case .rows(let rows): ...                                       // send Activation(step: step, rows: rows) on
///     case .result(let result): ...                                   // answer the coordinator
///     }
///
/// After loading nothing refers to the checkpoint's files any more. Immutable, so any thread may use it.
public final class StageModel: Sendable {
    public let configuration: ModelConfiguration
    public let layers: LayerRange
    /// Bytes of all weights in memory, padding included.
    public let weightByteCount: Int
    /// Where they came from.
    public let loading: LoadSummary

    let shape: DecoderShape
    let rotary: RotaryEmbedding
    let decoderLayers: [DecoderLayer]
    /// On the first stage.
    let embedding: TokenEmbedding?
    /// On the last stage.
    let output: (norm: LayerRows, head: PackedMatrix)?

    /// Whether the stage looks tokens up.
    public var isFirst: Bool { embedding != nil }
    /// Whether the stage computes logits and samples.
    public var isLast: Bool { output != nil }
    /// Numbers per row of hidden state.
    public var hiddenSize: Int { shape.hiddenSize }

    init(
        configuration: ModelConfiguration, layers: LayerRange, decoderLayers: [DecoderLayer],
        embedding: TokenEmbedding?, output: (norm: LayerRows, head: PackedMatrix)?, weightByteCount: Int,
        loading: LoadSummary = LoadSummary()
    ) throws {
        self.configuration = configuration
        self.layers = layers
        self.decoderLayers = decoderLayers
        self.embedding = embedding
        self.output = output
        self.weightByteCount = weightByteCount
        self.loading = loading
        shape = DecoderShape(configuration)
        rotary = try RotaryEmbedding(
            rotarySize: configuration.rotaryDimension, base: configuration.ropeTheta,
            shortFactors: configuration.longRope?.shortFactors, longFactors: configuration.longRope?.longFactors,
            attentionFactor: configuration.longRope?.attentionFactor ?? 1)
    }
}

extension DecoderShape {
    /// The sizes of a validated configuration.
    init(_ configuration: ModelConfiguration) {
        self.init(
            hiddenSize: configuration.hiddenSize, headCount: configuration.headCount,
            keyValueHeadCount: configuration.kvHeadCount, headSize: configuration.headDimension,
            feedForwardSize: configuration.feedForwardSize, vocabularySize: configuration.vocabularySize,
            slidingWindow: configuration.slidingWindow ?? 0, normEpsilon: configuration.rmsNormEpsilon,
            contextLength: configuration.contextLength)
    }
}
