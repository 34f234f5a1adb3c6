public import Kernels

/// What to measure of the kernels.
public struct KernelBenchPlan: Sendable, Hashable {
    /// What kernels do.
    public enum Operation: String, CaseIterable, Sendable {
        /// Products of weights with rows of activations, as the engine computes them.
        case matrix
        /// Activations to int8 blocks.
        case quantize
        /// RMSNorm.
        case norm
        /// Angles and rotation of the queries and keys.
        case rope
        /// SiLU-gate.
        case gate
        /// One position's attention over all positions before it.
        case attention
        /// The next token from a row of logits.
        case sampling
    }

    public var operations = Operation.allCases
    public var formats = WeightFormat.allCases
    /// Rows of activations, one measurement each.
    public var rowCounts = [1, 2, 4, 8, 16, 32, 128, 512]
    public var isas: [ISA] = []
    /// Shape of the weights: numbers per row, and outputs.
    public var columnCount = 5120
    public var outputCount = 5120
    /// Query heads, key/value heads and their size, for rotation and attention.
    public var headCount = 40
    public var keyValueHeadCount = 10
    public var headSize = 128
    /// Positions that attention sees.
    public var depths = [512, 4096]
    public var vocabularySize = 32064
    public var threadCount = 1

    /// Bounds of the numbers that users give.
    public static let maxRowCount = 4096
    public static let maxWidth = 1 << 17
    public static let maxDepth = 1 << 17
    /// Bytes that the probe of the memory's bandwidth reads over.
    var probeByteCount = LimitProbe.largeByteCount

    public init() {}

    /// Throws `BenchError` when a number is impossible.
    public func check() throws {
        var limits: [(String, Int, ClosedRange<Int>)] = [
            ("--columns", columnCount, 1...Self.maxWidth), ("--outputs", outputCount, 1...Self.maxWidth),
            ("--heads", headCount, 1...1024), ("--kv-heads", keyValueHeadCount, 1...1024),
            ("--head-size", headSize, 2...1024), ("--vocabulary", vocabularySize, 1...1 << 22),
            ("--threads", threadCount, 1...1024),
        ]
        limits += rowCounts.map { ("--rows", $0, 1...Self.maxRowCount) }
        limits += depths.map { ("--depths", $0, 1...Self.maxDepth) }
        for (flag, value, range) in limits where !range.contains(value) {
            throw BenchError("\(flag) \(value) is not possible: \(range.lowerBound) to \(range.upperBound)")
        }
        for (flag, count) in [("--rows", rowCounts.count), ("--depths", depths.count), ("--isa", isas.count)]
        where count == 0 || count > 64 {
            throw BenchError("\(flag) needs 1 to 64 entries")
        }
        guard headCount % keyValueHeadCount == 0, headSize % 2 == 0 else {
            throw BenchError("--heads must be a multiple of --kv-heads, and --head-size even")
        }
        for isa in isas where !isa.isAvailable {
            throw BenchError("--isa \(isa) is not available on this machine")
        }
        for format in formats where columnCount % format.blockSize != 0 {
            throw BenchError("--columns \(columnCount) is no multiple of \(format.blockSize), the block of \(format)")
        }
    }
}
