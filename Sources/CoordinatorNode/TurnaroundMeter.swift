import Histogram
import Inference
import Synchronization

/// How long the coordinator takes from a step's result, as it came off the wire, to the step that follows it, as it was
/// handed to the network: the time that the pipeline waits for the coordinator.
final class TurnaroundMeter: Sendable {
    /// Microseconds, to two digits.
    private let histogram = Mutex(
        Histogram<UInt64>(highestTrackableValue: mostMicroseconds, numberOfSignificantValueDigits: .two))

    /// Longer times count as this long.
    private static let mostMicroseconds: UInt64 = 60_000_000

    func record(_ duration: Duration) {
        let microseconds = UInt64(clamping: Int64(duration / .microseconds(1)))
        histogram.withLock { _ = $0.record(min(microseconds, Self.mostMicroseconds)) }
    }

    var summary: LatencySummary {
        histogram.withLock { histogram in
            guard histogram.totalCount > 0 else { return LatencySummary() }
            return LatencySummary(
                count: Int(clamping: histogram.totalCount), medianMicroseconds: Double(histogram.median),
                p99Microseconds: Double(histogram.valueAtPercentile(99)),
                mostMicroseconds: Double(histogram.maxRecorded))
        }
    }
}
