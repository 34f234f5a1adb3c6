/// Learns how regularly a worker's heartbeats come, and so how long a silence must be to mean that the worker is gone.
///
/// The next heartbeat is expected one mean interval after the latest one; the margin beyond is four times what the latest
/// of the recent ones was late, so that a rhythm which was seen never raises an alarm. As in W. Chen, S. Toueg and
/// M. K. Aguilera, "On the Quality of Service of Failure Detectors" (2002), with the margin taken from the spread, as
/// accrual detectors do. Time is an argument: milliseconds on any steady clock.
struct SilenceDetector: Sendable {
    /// Bounds of the limit, in milliseconds.
    private let bounds: ClosedRange<Double>
    /// A ring of the latest ones.
    private var intervals: [Double] = []
    private var next = 0
    private var latestMilliseconds: Double?
    /// A silence longer than this, in milliseconds, means that the worker is gone.
    private(set) var limitMilliseconds: Double

    private static let windowCount = 64
    /// With fewer intervals nothing is known.
    private static let learningCount = 8
    private static let marginFactor = 4.0

    /// - Parameters:
    ///   - least: shorter silences never mean anything, in milliseconds.
    ///   - most: longer ones always do; it counts alone until enough heartbeats came. At least `least`.
    init(least: Double, most: Double) {
        bounds = least...most
        limitMilliseconds = most
    }

    /// A heartbeat came. O(64).
    mutating func hear(now: Double) {
        defer { latestMilliseconds = now }
        guard let latestMilliseconds else { return }
        let interval = max(0, now - latestMilliseconds)
        if intervals.count < Self.windowCount { intervals.append(interval) } else { intervals[next] = interval }
        next = (next + 1) % Self.windowCount
        guard intervals.count >= Self.learningCount, let longest = intervals.max() else { return }
        let mean = intervals.reduce(0, +) / Double(intervals.count)
        let limit = mean + Self.marginFactor * (longest - mean)
        limitMilliseconds = min(max(limit, bounds.lowerBound), bounds.upperBound)
    }
}
