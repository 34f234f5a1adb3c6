/// What a rule is made of.
indirect enum GrammarNode {
    /// Bytes of UTF-8 text.
    case literal([UInt8])
    /// Any one of these characters.
    case scalars(ScalarSet)
    /// Another rule, by its number.
    case rule(Int)
    case sequence([GrammarNode])
    case choice([GrammarNode])
    /// So many times; without an upper bound when `most` is nil.
    case repetition(GrammarNode, least: Int, most: Int?)
}

/// A grammar as its text says it.
struct GrammarSyntax {
    var ruleNames: [String]
    var rules: [GrammarNode]
    var root: Int
}
