import Inference

/// So much per minute: a bucket of that size, which fills evenly. It may be overdrawn, and then pays back first.
struct TokenBucket: Hashable, Sendable {
    let limit: Int
    private var level: Double
    private var lastMilliseconds: Double

    private static let minuteMilliseconds = 60_000.0

    /// A full bucket.
    init(limit: Int, now: Double) {
        self.limit = limit
        level = Double(limit)
        lastMilliseconds = now
    }

    /// Lets in what has come since the last look.
    mutating func fill(now: Double) {
        level = min(Double(limit), level + max(now - lastMilliseconds, 0) * Double(limit) / Self.minuteMilliseconds)
        lastMilliseconds = max(now, lastMilliseconds)
    }

    /// How long until so much is there; 0 when it is.
    func waitMilliseconds(for amount: Int) -> Double {
        max(Double(min(amount, limit)) - level, 0) * Self.minuteMilliseconds / Double(limit)
    }

    mutating func take(_ amount: Int) { level -= Double(amount) }

    mutating func giveBack(_ amount: Int) { level = min(Double(limit), level + Double(amount)) }

    var allowance: RateLimits.Allowance {
        RateLimits.Allowance(
            limit: limit, remaining: max(Int(level.rounded(.down)), 0),
            resetMilliseconds: waitMilliseconds(for: limit))
    }
}
