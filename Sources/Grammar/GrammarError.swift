/// Why a grammar or a schema cannot be used.
public struct GrammarError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, where, and what to do, for people.
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}

/// What a grammar from outside may ask for.
public enum GrammarLimits {
    /// Bytes of GBNF text.
    public static let textByteCount = 1 << 20
    /// Rules of a grammar, those apart that repetitions add.
    static let ruleCount = 1 << 16
    /// Groups within groups.
    static let nesting = 64
    /// The largest number in a repetition.
    static let repetition = 1_000_000
    /// States of the automaton before it is tidied.
    static let stateCount = 1 << 17
    /// Ways on from single states, in all.
    static let edgeCount = 1 << 19

    /// Rules that may begin at one place, with those that these begin with.
    static let beginningRuleCount = 1024

    /// Ways to read what was read so far that are followed at the same time. Of more, the first ones are: what is left
    /// is a part of the grammar, so answers stay within it.
    static let frameCount = 1024
    /// With up to so many ways, what each accepts by itself is looked up; with more, all are followed together.
    static let separateFrameCount = 32
    /// What one walk over the vocabulary may meet: configurations, and the cost of going on from their frames.
    static let walk = (configurationCount: 1 << 13, cost: 1 << 18)
    /// The same where a state's own rule is walked.
    static let localWalk = (configurationCount: 1 << 12, cost: 1 << 15)
    /// Nodes of the vocabulary's tree that are walked over before a grammar is used.
    static let preparedNodeCount = 1 << 23
    /// Configurations kept from token to token, their frames, and bytes of each kind of mask; beyond it they are found anew.
    static let keptConfigurationCount = 1 << 14
    static let keptFrameCount = 1 << 19
    static let keptMaskByteCount = 16 << 20
    static let keptLocalByteCount = 64 << 20
}
