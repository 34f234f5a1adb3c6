/// A token bucket: so many at once, then so many per second.
struct FrameBudget {
    private let burst: Double
    private let perNanosecond: Double
    private var tokens: Double
    private var refilledNanoseconds: UInt64?

    init(burst: Int, perSecond: Int) {
        self.burst = Double(burst)
        self.perNanosecond = Double(perSecond) / 1_000_000_000
        self.tokens = Double(burst)
    }

    /// Adds what the time since the last call earned. A clock that goes back adds nothing.
    mutating func refill(nowNanoseconds: UInt64) {
        if let last = refilledNanoseconds, nowNanoseconds > last {
            tokens = min(burst, tokens + Double(nowNanoseconds - last) * perNanosecond)
        }
        refilledNanoseconds = nowNanoseconds
    }

    /// Takes a token; false when none is left.
    mutating func take() -> Bool {
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
