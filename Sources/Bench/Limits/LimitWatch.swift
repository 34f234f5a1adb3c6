import Kernels

/// The largest limits seen so far, measured now and then: what a shared machine can do changes with the hour.
final class LimitWatch {
    private(set) var limits: MachineLimits
    private let probe: LimitProbe
    private let isa: ISA
    private let repeatedByteCount: Int
    private var latest = ContinuousClock.now

    /// Measures for the first time; see `LimitProbe.limits`.
    init(_ probe: LimitProbe, isa: ISA, repeatedByteCount: Int) throws {
        self.probe = probe
        self.isa = isa
        self.repeatedByteCount = repeatedByteCount
        limits = try probe.limits(isa: isa, repeatedByteCount: repeatedByteCount)
        latest = .now
    }

    /// Measures again, unless the latest measurement is younger than `age`.
    func update(after age: Duration = .zero) throws {
        guard ContinuousClock.now - latest >= age else { return }
        limits = limits.larger(try probe.limits(isa: isa, repeatedByteCount: repeatedByteCount))
        latest = .now
    }
}
