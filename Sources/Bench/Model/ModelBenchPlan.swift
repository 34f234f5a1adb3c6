import Checkpoint
public import Inference
import Kernels
import Phi

/// What to measure of a model.
public struct ModelBenchPlan: Sendable, Hashable {
    /// Tokens of the prompt; 0 leaves prefill out.
    public var promptCount = 512
    /// Tokens that each stream generates; 0 leaves decoding out.
    public var generatedCount = 64
    /// Positions that the KV pages of each stream hold before it generates.
    public var depth = 0
    /// How many sequences generate together, one measurement each.
    public var streamCounts = [1]
    /// Compute threads.
    public var threadCount = 1
    public var kvType = KVType.f16
    /// Rounds of each measurement; the median counts.
    public var repeatCount = 3
    /// The most prompt rows per step.
    public var chunkRowCount = 512

    /// Bounds of the numbers that users give.
    public static let maxPositionCount = 1 << 20
    public static let maxStreamCount = 256
    public static let maxRepeatCount = 100
    public static let maxChunkRowCount = 4096
    /// Bytes that the probe of the memory's bandwidth reads over.
    var probeByteCount = LimitProbe.largeByteCount

    public init() {}

    /// Throws `BenchError` when a number is impossible for any model.
    public func checkNumbers() throws {
        let limits: [(String, Int, ClosedRange<Int>)] = [
            ("-p", promptCount, 0...Self.maxPositionCount), ("-n", generatedCount, 0...Self.maxPositionCount),
            ("--depth", depth, 0...Self.maxPositionCount), ("--repeat", repeatCount, 1...Self.maxRepeatCount),
            ("--chunk", chunkRowCount, 1...Self.maxChunkRowCount), ("--threads", threadCount, 1...1024),
        ]
        for (flag, value, range) in limits where !range.contains(value) {
            throw BenchError("\(flag) \(value) is not possible: \(range.lowerBound) to \(range.upperBound)")
        }
        guard promptCount > 0 || generatedCount > 0 else {
            throw BenchError("-p 0 and -n 0 leave nothing to measure; give one of them")
        }
        for count in streamCounts where !(1...Self.maxStreamCount).contains(count) {
            throw BenchError("--streams \(count) is not possible: 1 to \(Self.maxStreamCount), such as 1,4,8,16")
        }
        guard !streamCounts.isEmpty else { throw BenchError("--streams is empty; give numbers such as 1,4,8,16") }
    }

    /// Throws `BenchError` when something does not fit the model or the machine.
    ///
    /// - Parameter availableByteCount: memory that is free for KV pages.
    func check(_ model: ModelConfiguration, availableByteCount: Int) throws {
        try checkNumbers()
        guard promptCount <= model.contextLength else {
            throw BenchError(
                "-p \(promptCount) is more than the model's context of \(model.contextLength); choose less")
        }
        guard depth + generatedCount <= model.contextLength else {
            throw BenchError(
                "--depth \(depth) and -n \(generatedCount) make \(depth + generatedCount) positions, but the model's "
                    + "context has \(model.contextLength); choose less")
        }
        let byteCount = pageCount * pageLayout(model).pageByteCount
        guard byteCount <= availableByteCount else {
            throw BenchError(
                "KV pages for \(streamCounts.max() ?? 1) streams of \(depth + generatedCount) positions take "
                    + "\(byteCount >> 20) MiB, but only \(availableByteCount >> 20) MiB are free; choose a smaller "
                    + "--depth or fewer --streams")
        }
    }

    /// Rows of the largest step.
    var maxRowCount: Int { max(chunkRowCount, streamCounts.max() ?? 1) }

    /// Pages of one stream that decodes.
    var streamPageCount: Int { KVPage.count(holding: depth + generatedCount) }

    /// KV pages that everything needs: measurements follow one another and use the same ones.
    var pageCount: Int {
        max(KVPage.count(holding: promptCount), streamPageCount * (streamCounts.max() ?? 1))
    }

    func pageLayout(_ model: ModelConfiguration) -> AttentionPageLayout {
        AttentionPageLayout(
            format: AttentionPageFormat(kvType), layerCount: model.layerCount, headCount: model.kvHeadCount,
            headSize: model.headDimension)
    }

    /// Bytes of keys and values that one stream reads in all its decode steps: a row at position i sees i + 1 positions,
    /// or as many as the sliding window has.
    func keyValueByteCount(_ model: ModelConfiguration) -> Double {
        let positionByteCount = pageLayout(model).pageByteCount / KVPage.positionCount
        let seen = (depth..<depth + generatedCount).reduce(0) { $0 + min($1 + 1, model.slidingWindow ?? .max) }
        return Double(seen) * Double(positionByteCount)
    }
}
