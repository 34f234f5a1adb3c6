/// What a server did under a load.
public struct LoadResult: Sendable {
    /// The stream with the longest gaps.
    public struct WorstStream: Sendable, Hashable {
        /// The 99th percentile of its gaps, in seconds.
        public let p99: Double
        /// The same, as a multiple of the median of its own gaps.
        public let toOwnMedian: Double
        /// The same, as a multiple of the median of all streams' gaps.
        public let toMedian: Double
    }

    public let plan: LoadPlan
    public let model: String
    /// From the first request to the end of the last answer.
    public let seconds: Double
    /// Whole answers; those of the warm-up are not among them.
    public let streams: [StreamRecord]
    /// How often requests failed, by what went wrong.
    public let failures: [String: Int]

    /// Seconds from sending a request to the first piece of the answer; nil without answers.
    public let timeToFirstToken: Distribution?
    /// Seconds per token after the first, a number per answer.
    public let timePerOutputToken: Distribution?
    /// Seconds between one piece of an answer and the next, those of all answers together.
    public let gaps: Distribution?
    /// Nil when no answer has two pieces.
    public let worstStream: WorstStream?

    public init(plan: LoadPlan, model: String, seconds: Double, streams: [StreamRecord], failures: [String: Int]) {
        self.plan = plan
        self.model = model
        self.seconds = max(seconds, 1e-9)
        self.streams = streams
        self.failures = failures
        timeToFirstToken = Distribution(streams.lazy.compactMap(\.timeToFirstToken))
        timePerOutputToken = Distribution(streams.lazy.compactMap(\.timePerOutputToken))
        let gaps = Distribution(streams.lazy.flatMap(\.gaps))
        self.gaps = gaps
        worstStream = streams.lazy.compactMap { Distribution($0.gaps) }.max { $0.p99 < $1.p99 }.flatMap { worst in
            gaps.map { all in
                WorstStream(
                    p99: worst.p99, toOwnMedian: worst.p99 / max(worst.median, 1e-9),
                    toMedian: worst.p99 / max(all.median, 1e-9))
            }
        }
    }

    public var failureCount: Int { failures.values.reduce(0, +) }

    /// Answers that ended before as many tokens as were asked for.
    public var shortAnswerCount: Int { streams.count { $0.outputTokenCount < plan.outputTokenCount } }

    public var promptTokenCount: Int { streams.reduce(0) { $0 + $1.promptTokenCount } }

    public var cachedTokenCount: Int { streams.reduce(0) { $0 + $1.cachedTokenCount } }

    public var outputTokenCount: Int { streams.reduce(0) { $0 + $1.outputTokenCount } }

    /// Prompts and answers together.
    public var tokensPerSecond: Double { Double(promptTokenCount + outputTokenCount) / seconds }

    public var outputTokensPerSecond: Double { Double(outputTokenCount) / seconds }

    public var requestsPerSecond: Double { Double(streams.count) / seconds }
}
