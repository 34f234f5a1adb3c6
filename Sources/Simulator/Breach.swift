/// A promise that was broken.
struct Breach: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A simulation that did not end well: which promise was broken, when, and in which run.
public struct SimulationFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let seed: UInt64
    /// Virtual time since the start.
    public let milliseconds: Double
    /// What was broken.
    public let problem: String

    public var description: String {
        "seed \(seed), after \(milliseconds) ms of virtual time: \(problem)"
    }
}
