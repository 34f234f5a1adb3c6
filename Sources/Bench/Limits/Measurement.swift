/// One round of something that was timed.
public struct Measurement: Sendable, Hashable {
    /// How long it took.
    public let seconds: Double
    /// The part of the machine's processor time that other processes took meanwhile, 0 to 1; nil when unknown.
    public let othersFraction: Double?

    public init(seconds: Double, othersFraction: Double?) {
        self.seconds = seconds
        self.othersFraction = othersFraction
    }

    /// Times `body`.
    static func of(_ body: () throws -> Void) rethrows -> Measurement {
        let use = ProcessorUse.current()
        let seconds = try time(body)
        let others = use.flatMap { earlier in ProcessorUse.current()?.othersFraction(since: earlier) }
        return Measurement(seconds: seconds, othersFraction: others)
    }

    /// The seconds that `body` took; never zero.
    static func time(_ body: () throws -> Void) rethrows -> Double {
        let began = ContinuousClock.now
        try body()
        let (seconds, attoseconds) = (ContinuousClock.now - began).components
        return max(Double(seconds) + Double(attoseconds) * 1e-18, 1e-9)
    }
}

extension [Double] {
    /// The one in the middle, or the mean of both; 0 of none.
    var median: Double {
        guard !isEmpty else { return 0 }
        let ordered = sorted()
        return (ordered[(count - 1) / 2] + ordered[count / 2]) / 2
    }
}
