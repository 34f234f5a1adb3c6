import Histogram
import Inference
import Synchronization

/// How long the coordinator takes from a step's result, as it came off the wire, to the step that follows it, as it was
/// handed to the network: the time that the pipeline waits for the coordinator.
final class TurnaroundMeter: Sendable {
    private struct State {
        /// Microseconds, to two digits.
        var histogram = Histogram<UInt64>(
            highestTrackableValue: mostMicroseconds, numberOfSignificantValueDigits: .two)
        var totalMicroseconds = 0.0
    }

    private let state = Mutex(State())

    /// Longer times count as this long.
    private static let mostMicroseconds: UInt64 = 60_000_000

    func record(_ duration: Duration) {
        let microseconds = UInt64(clamping: Int64(duration / .microseconds(1)))
        state.withLock { state in
            _ = state.histogram.record(min(microseconds, Self.mostMicroseconds))
            state.totalMicroseconds += Double(microseconds)
        }
    }

    var summary: LatencySummary {
        state.withLock { state in
            let histogram = state.histogram
            guard histogram.totalCount > 0 else { return LatencySummary() }
            return LatencySummary(
                count: Int(clamping: histogram.totalCount), medianMicroseconds: Double(histogram.median),
                p99Microseconds: Double(histogram.valueAtPercentile(99)),
                mostMicroseconds: Double(histogram.maxRecorded), totalMicroseconds: state.totalMicroseconds)
        }
    }
}
