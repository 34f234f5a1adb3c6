import Synchronization

/// Counts of durations between fixed bounds, to be added up over processes.
final class LatencyHistogram: Sendable {
    struct Snapshot {
        /// Of each bound those up to it and above the one before; at the end those above all bounds.
        var counts: [Int]
        var sumSeconds = 0.0
    }

    /// Seconds, ascending.
    let bounds: [Double]
    private let state: Mutex<Snapshot>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(Snapshot(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    /// For whole requests, from milliseconds to the longest answers.
    static func ofRequests() -> LatencyHistogram {
        LatencyHistogram(bounds: [
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280,
        ])
    }

    /// For single tokens.
    static func ofTokens() -> LatencyHistogram {
        LatencyHistogram(bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5])
    }

    func record(_ duration: Duration) { record(seconds: duration / .seconds(1)) }

    func record(seconds: Double) {
        let seconds = max(seconds, 0)
        let index = bounds.firstIndex { seconds <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[index] += 1
            state.sumSeconds += seconds
        }
    }

    var snapshot: Snapshot { state.withLock { $0 } }
}
