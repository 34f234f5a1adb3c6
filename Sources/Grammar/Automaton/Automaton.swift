/// A grammar as a pushdown automaton over bytes: one finite automaton per rule, whose states may call other rules.
///
/// Every state can come to an end of its rule, so whatever can be begun can be completed. There is no left recursion:
/// the rules that a state calls, and those that these call at their beginnings, come in the order of `ranks`.
struct Automaton: Sendable {
    struct Edge: Sendable, Hashable {
        let bytes: ClosedRange<UInt8>
        let target: Int32
    }

    struct Call: Sendable, Hashable {
        let rule: Int32
        /// Where it goes on after the rule; nil where nothing but the end follows.
        let back: Int32?
    }

    struct State: Sendable {
        var edges: [Edge] = []
        var calls: [Call] = []
        /// Whether the rule may end here.
        var isFinal = false
        /// What it costs to go on from here: the rules, at most, that begin after a byte, and one.
        var cost = 1
    }

    var states: [State]
    /// The first state of each rule.
    var starts: [Int32]
    /// A rule's place in an order in which each comes before those that it calls at its beginning.
    var ranks: [Int32]
    var root: Int32
    /// Bytes that no state tells apart have the same class.
    var classes: [UInt8]
    var classCount: Int
    /// A byte of each class.
    var representatives: [UInt8]
}
