public import Checkpoint

/// A published model's shape, for checkpoints of random weights: everything that speed and memory depend on.
///
/// Sources: the `config.json` of each model. The factors of LongRoPE are of the right number and size, not theirs.
public enum SyntheticShape: String, Sendable, CaseIterable {
    case phi3Mini = "phi-3-mini"
    case phi35Mini = "phi-3.5-mini"
    case phi3Medium = "phi-3-medium"
    case phi3Medium128k = "phi-3-medium-128k"
    case phi4 = "phi-4"
    case phi4Mini = "phi-4-mini"
    /// No model's: two layers that run in no time, with rows of whole K blocks.
    case tiny

    /// What the model is, in a few words.
    public var summary: String {
        let model = configuration
        return "\(model.layerCount) layers of \(model.hiddenSize), \(model.headCount) heads (\(model.kvHeadCount) KV), "
            + "vocabulary \(model.vocabularySize)"
    }

    /// The hyperparameters.
    public var configuration: ModelConfiguration {
        switch self {
        case .phi3Mini: Self.phi3(hidden: 3072, heads: 32, kvHeads: 32, ff: 8192, layers: 32, context: 4096)
        case .phi35Mini:
            Self.phi3(hidden: 3072, heads: 32, kvHeads: 32, ff: 8192, layers: 32, context: 131_072)
        case .phi3Medium: Self.phi3(hidden: 5120, heads: 40, kvHeads: 10, ff: 17_920, layers: 40, context: 4096)
        case .phi3Medium128k:
            Self.phi3(hidden: 5120, heads: 40, kvHeads: 10, ff: 17_920, layers: 40, context: 131_072)
        case .phi4: Self.phi4Configuration
        case .phi4Mini: Self.phi4MiniConfiguration
        case .tiny:
            Self.phi3(hidden: 256, heads: 8, kvHeads: 2, ff: 512, layers: 2, context: 4096, vocabulary: 1024)
        }
    }

    /// Pieces before the special tokens.
    var pieceCount: Int {
        switch self {
        case .tiny: 960
        case .phi4: SyntheticTokenizer.phi4Specials.first
        case .phi4Mini: SyntheticTokenizer.phi4MiniSpecials.first
        default: 32_000
        }
    }

    private static func phi3(
        hidden: Int, heads: Int, kvHeads: Int, ff: Int, layers: Int, context: Int, vocabulary: Int = 32_064
    ) -> ModelConfiguration {
        let isLong = context > 4096
        return ModelConfiguration(
            architecture: .phi3, vocabularySize: vocabulary, hiddenSize: hidden, layerCount: layers, headCount: heads,
            kvHeadCount: kvHeads, headDimension: hidden / heads, feedForwardSize: ff, rmsNormEpsilon: 1e-5,
            ropeTheta: 10_000, rotaryDimension: hidden / heads, slidingWindow: isLong ? 262_144 : 2047,
            contextLength: context, originalContextLength: 4096,
            longRope: isLong ? longRope(pairs: hidden / heads / 2, context: context) : nil, tiedEmbeddings: false,
            beginOfSequenceID: nil, endOfSequenceIDs: [], addsBeginOfSequence: false)
    }

    private static let phi4Configuration = ModelConfiguration(
        architecture: .phi3, vocabularySize: 100_352, hiddenSize: 5120, layerCount: 40, headCount: 40, kvHeadCount: 10,
        headDimension: 128, feedForwardSize: 17_920, rmsNormEpsilon: 1e-5, ropeTheta: 250_000, rotaryDimension: 128,
        slidingWindow: nil, contextLength: 16_384, originalContextLength: 16_384, longRope: nil, tiedEmbeddings: false,
        beginOfSequenceID: nil, endOfSequenceIDs: [], addsBeginOfSequence: false)

    private static let phi4MiniConfiguration = ModelConfiguration(
        architecture: .phi3, vocabularySize: 200_064, hiddenSize: 3072, layerCount: 32, headCount: 24, kvHeadCount: 8,
        headDimension: 128, feedForwardSize: 8192, rmsNormEpsilon: 1e-5, ropeTheta: 10_000, rotaryDimension: 96,
        slidingWindow: 262_144, contextLength: 131_072, originalContextLength: 4096,
        longRope: longRope(pairs: 48, context: 131_072), tiedEmbeddings: true, beginOfSequenceID: nil,
        endOfSequenceIDs: [], addsBeginOfSequence: false)

    /// Factors that rise along the frequencies as the published ones do: to about 3 and to about 64.
    private static func longRope(pairs: Int, context: Int) -> LongRope {
        let places = (0..<pairs).map { Float($0) / Float(pairs - 1) }
        return LongRope(
            shortFactors: places.map { 1 + 2 * $0 * $0 }, longFactors: places.map { 1 + 63 * $0 * $0 },
            attentionFactor: LongRope.attentionFactor(contextLength: context, originalContextLength: 4096))
    }
}
