import Inference

/// A plan that is to take the place of a standing one, which serves on until then.
struct Succession: Sendable {
    enum Phase: Hashable, Sendable {
        /// Its stages load what they lack and fetch pages.
        case preparing
        /// All are prepared; the steps in flight are waited for.
        case quieting
        /// These still fetch the pages that were written last.
        case moving(Set<NodeID>)
    }

    /// Of the same number as the one that stands, and of a higher epoch; `loading` are those that are not prepared.
    var replica: Replica
    var phase = Phase.preparing
    /// When it last went forward.
    var heardMilliseconds: Double

    /// Whether the standing plan gets no steps meanwhile.
    var isPaused: Bool { phase != .preparing }
}
