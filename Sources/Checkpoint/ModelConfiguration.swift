/// The hyperparameters of a model of the Phi-3 family, whichever format its checkpoint has.
///
/// A value made by this module has been validated: everything is positive and bounded, heads divide, the rotary
/// dimension is even, and factor lists have the right length.
public struct ModelConfiguration: Sendable, Codable, Hashable {
    /// The computation graphs that this engine knows.
    public enum Architecture: String, Sendable, Codable, Hashable {
        /// Phi-3, Phi-3.5, Phi-4 and Phi-4-mini (dense): fused or split QKV and gate-up, RMSNorm, SwiGLU.
        case phi3
    }

    /// The computation graph.
    public var architecture: Architecture
    /// Rows of the embedding table and of the head; tokenizers may use fewer.
    public var vocabularySize: Int
    /// Width of the residual stream.
    public var hiddenSize: Int
    /// Number of transformer layers.
    public var layerCount: Int
    /// Number of query heads.
    public var headCount: Int
    /// Number of key and value heads; divides `headCount`. Query head h reads KV head `h / (headCount / kvHeadCount)`.
    public var kvHeadCount: Int
    /// Width of one head.
    public var headDimension: Int
    /// Width of the feed-forward layer (of gate and of up, each).
    public var feedForwardSize: Int
    /// Added to the mean square in RMSNorm.
    public var rmsNormEpsilon: Float
    /// Base of the rotary frequencies.
    public var ropeTheta: Float
    /// Leading elements of each head that rotate (even); the rest pass unchanged.
    public var rotaryDimension: Int
    /// W: position i sees the positions i-W+1...i. Nil when every position sees all before it.
    public var slidingWindow: Int?
    /// Most positions that the model was made for.
    public var contextLength: Int
    /// Positions of the training before the context was extended; equal to `contextLength` when it was not.
    public var originalContextLength: Int
    /// The extension of the context; nil for plain RoPE.
    public var longRope: LongRope?
    /// Whether the head is the embedding table.
    public var tiedEmbeddings: Bool
    /// The token that begins a sequence; nil when the model has none.
    public var beginOfSequenceID: Int?
    /// The tokens that end an answer, ascending: those of the configuration and of the generation configuration, and
    /// those that end a turn in the chat templates of the family.
    public var endOfSequenceIDs: [Int]
    /// Whether a text prompt begins with `beginOfSequenceID`.
    public var addsBeginOfSequence: Bool

    public init(
        architecture: Architecture, vocabularySize: Int, hiddenSize: Int, layerCount: Int, headCount: Int,
        kvHeadCount: Int, headDimension: Int, feedForwardSize: Int, rmsNormEpsilon: Float, ropeTheta: Float,
        rotaryDimension: Int, slidingWindow: Int?, contextLength: Int, originalContextLength: Int,
        longRope: LongRope?, tiedEmbeddings: Bool, beginOfSequenceID: Int?, endOfSequenceIDs: [Int],
        addsBeginOfSequence: Bool
    ) {
        self.architecture = architecture
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.layerCount = layerCount
        self.headCount = headCount
        self.kvHeadCount = kvHeadCount
        self.headDimension = headDimension
        self.feedForwardSize = feedForwardSize
        self.rmsNormEpsilon = rmsNormEpsilon
        self.ropeTheta = ropeTheta
        self.rotaryDimension = rotaryDimension
        self.slidingWindow = slidingWindow
        self.contextLength = contextLength
        self.originalContextLength = originalContextLength
        self.longRope = longRope
        self.tiedEmbeddings = tiedEmbeddings
        self.beginOfSequenceID = beginOfSequenceID
        self.endOfSequenceIDs = endOfSequenceIDs
        self.addsBeginOfSequence = addsBeginOfSequence
    }

    /// Rows of the fused QKV projection: queries, keys, values, in this order.
    public var qkvRowCount: Int { (headCount + 2 * kvHeadCount) * headDimension }
    /// Width of all query heads together: the columns of the attention's output projection.
    public var queryWidth: Int { headCount * headDimension }
    /// Width of all keys (or all values) of one position.
    public var kvWidth: Int { kvHeadCount * headDimension }
}

/// LongRoPE: per-frequency divisors for short and long sequences, and a scale of cos and sin.
///
/// Source: transformers' `_compute_longrope_parameters`. A sequence of more than `originalContextLength` positions uses
/// the long factors for every position, a shorter one the short factors.
public struct LongRope: Sendable, Codable, Hashable {
    /// Divisors of the inverse frequencies up to the original context; `rotaryDimension / 2` of them.
    public var shortFactors: [Float]
    /// Divisors of the inverse frequencies beyond the original context; `rotaryDimension / 2` of them.
    public var longFactors: [Float]
    /// Multiplies cos and sin, in both regimes.
    public var attentionFactor: Float

    public init(shortFactors: [Float], longFactors: [Float], attentionFactor: Float) {
        self.shortFactors = shortFactors
        self.longFactors = longFactors
        self.attentionFactor = attentionFactor
    }

    /// The scale when a checkpoint names none: sqrt(1 + ln(maximum / original) / ln(original)), 1 without extension.
    public static func attentionFactor(contextLength: Int, originalContextLength: Int) -> Float {
        guard contextLength > originalContextLength, originalContextLength > 1 else { return 1 }
        let scale = Double(contextLength) / Double(originalContextLength)
        return Float((1 + naturalLog(scale) / naturalLog(Double(originalContextLength))).squareRoot())
    }
}
