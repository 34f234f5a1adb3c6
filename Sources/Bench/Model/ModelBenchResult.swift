/// What was measured of a model, with the limits of the machine that it ran on.
public struct ModelBenchResult: Sendable {
    /// Decoding with some streams.
    public struct Decode: Sendable {
        public let streamCount: Int
        /// Tokens of all streams together in a round.
        public let tokenCount: Int
        /// Bytes that the steps of a round read: the weights once per step, each stream's keys and values.
        public let byteCount: Double
        public let rounds: [Measurement]
    }

    /// Prefill of one prompt.
    public struct Prefill: Sendable {
        public let tokenCount: Int
        /// Multiply-adds with weights in a round; those of attention, which are few, are left out.
        public let multiplyAddCount: Double
        public let rounds: [Measurement]
    }

    public let modelName: String
    public let plan: ModelBenchPlan
    /// The instruction set whose kernels ran.
    public let isa: String
    /// From opening the checkpoint to weights that are ready to compute with.
    public let loadSeconds: Double
    /// Weights in memory, as packed.
    public let weightByteCount: Int
    /// Bytes of weights that one decode step reads.
    public let stepWeightByteCount: Int
    /// Nil when prefill was left out.
    public let prefill: Prefill?
    public let decode: [Decode]
    /// The largest of those before, between and after the measurements.
    public let limits: MachineLimits
}

extension ModelBenchResult.Prefill {
    private var seconds: Double { rounds.map(\.seconds).median }

    /// The median over the rounds.
    public var tokensPerSecond: Double { Double(tokenCount) / seconds }

    /// Multiply-adds per second as a part of the machine's int8 peak.
    public func fraction(of limits: MachineLimits) -> Double {
        limits.fractionOfInt8Peak(multiplyAddCount: multiplyAddCount, seconds: seconds)
    }
}

extension ModelBenchResult.Decode {
    private var seconds: Double { rounds.map(\.seconds).median }

    /// Of all streams together; the median over the rounds.
    public var tokensPerSecond: Double { Double(tokenCount) / seconds }

    /// Bytes read per second as a part of the machine's read bandwidth.
    public func fraction(of limits: MachineLimits) -> Double {
        limits.fractionOfBandwidth(byteCount: byteCount, seconds: seconds)
    }
}
