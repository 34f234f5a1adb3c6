import Inference
import Kernels

/// The rotary frequencies of a model, one set per regime.
///
/// As the reference implementation computes them, in float32 at every step:
/// `inverse = 1 / (factor * base ^ (2i / rotarySize))`, angle = inverse * position; sine and cosine are multiplied by
/// the attention factor. Models without LongRoPE have factors of 1 in both regimes.
struct RotaryEmbedding: Sendable {
    /// Numbers of each head that rotate, even; the rest passes.
    let rotarySize: Int
    let attentionFactor: Float
    private let short: LayerRows
    private let long: LayerRows

    /// - Parameters:
    ///   - rotarySize: even, above zero.
    ///   - shortFactors: `rotarySize / 2` numbers; nil for plain rotary embedding.
    init(
        rotarySize: Int, base: Float, shortFactors: [Float]?, longFactors: [Float]?, attentionFactor: Float
    ) throws {
        let count = rotarySize / 2
        guard rotarySize > 0, rotarySize % 2 == 0, base > 0, base.isFinite, attentionFactor.isFinite else {
            throw PhiError(
                code: .model,
                message:
                    "rotary embedding over \(rotarySize) numbers with base \(base) is not possible; check rope_theta "
                    + "and partial_rotary_factor in the checkpoint's configuration")
        }
        for factors in [shortFactors, longFactors].compactMap({ $0 }) where factors.count != count {
            throw PhiError(
                code: .model,
                message: "the checkpoint has \(factors.count) LongRoPE factors for \(count) rotary frequencies")
        }
        self.rotarySize = rotarySize
        self.attentionFactor = attentionFactor
        let ones = [Float](repeating: 1, count: count)
        short = try Self.inverseFrequencies(base: base, rotarySize: rotarySize, factors: shortFactors ?? ones)
        long = try Self.inverseFrequencies(base: base, rotarySize: rotarySize, factors: longFactors ?? ones)
    }

    /// The frequencies of a regime: one row of `rotarySize / 2` numbers.
    func inverseFrequencies(_ regime: RopeRegime) -> LayerRows {
        regime == .long ? long : short
    }

    private static func inverseFrequencies(base: Float, rotarySize: Int, factors: [Float]) throws -> LayerRows {
        let rows = try LayerRows.allocated(rowCount: 1, columnCount: factors.count)
        let logBase = MathFunctions.log(Double(base))
        for (index, factor) in factors.enumerated() {
            let exponent = Float(2 * index) / Float(rotarySize)
            let power = Float(MathFunctions.exp(Double(exponent) * logBase))
            rows[0, index] = 1 / (factor * power)
        }
        return rows
    }
}
