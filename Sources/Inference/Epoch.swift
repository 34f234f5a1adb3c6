/// The version of the truth about who computes what: a coordinator's term and a plan made in it.
///
/// Epochs are ordered by term, then plan. A worker refuses anything lower than it has seen.
public struct Epoch: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    /// The reign of one coordinator.
    public let term: UInt64
    /// Rises with every change of placement within the term.
    public let plan: UInt64

    public init(term: UInt64, plan: UInt64) {
        self.term = term
        self.plan = plan
    }

    public static func < (left: Epoch, right: Epoch) -> Bool {
        (left.term, left.plan) < (right.term, right.plan)
    }

    public var description: String { "epoch \(term).\(plan)" }
}
