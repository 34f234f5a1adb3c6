import Inference

/// That a request may be what makes workers fail: its rows were in flight when some did.
///
/// The suspicion ends as soon as all that was in flight of it has been computed, so who was only near is soon cleared.
struct Suspicion: Sendable {
    /// Failures with rows of it in flight; in between it never passed where it was at the first of them.
    private(set) var failureCount = 0
    /// Positions up to which its sequences were in flight.
    private(set) var ends: [SequenceID: Int] = [:]

    /// One failure may be chance; from so many on a request has the pipeline to itself.
    private static let isolatingCount = 2

    /// Whether no other request may be in flight beside it.
    var isIsolated: Bool { failureCount >= Self.isolatingCount }

    /// A worker failed with these positions in flight.
    mutating func note(_ inFlight: [SequenceID: Int]) {
        failureCount += 1
        ends.merge(inFlight, uniquingKeysWith: max)
    }

    /// A sequence is computed up to this position. True when that was the last one to be waited for.
    mutating func clear(_ sequence: SequenceID, upTo end: Int) -> Bool {
        if let place = ends[sequence], place <= end { ends[sequence] = nil }
        return ends.isEmpty
    }
}
