import Histogram

/// How some durations are distributed, in seconds; each number is within 0.1% of the true one.
public struct Distribution: Sendable, Hashable {
    public let mean: Double
    public let median: Double
    public let p90: Double
    public let p99: Double
    public let max: Double

    /// Nil of no durations.
    init?(_ durations: some Sequence<Double>) {
        // Sizes itself; three significant digits.
        var histogram = Histogram<UInt64>()
        var sum = 0.0
        for duration in durations {
            histogram.record(UInt64(Swift.max(0, duration) * 1e9))
            sum += duration
        }
        guard histogram.totalCount > 0 else { return nil }
        mean = sum / Double(histogram.totalCount)
        median = Double(histogram.median) * 1e-9
        p90 = Double(histogram.valueAtPercentile(90)) * 1e-9
        p99 = Double(histogram.valueAtPercentile(99)) * 1e-9
        max = Double(histogram.max) * 1e-9
    }
}
