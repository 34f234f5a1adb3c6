/// A grammar, checked and compiled.
public struct Grammar: Sendable {
    let automaton: Automaton

    /// States of the automaton, for which memory is held: at most 131,072.
    public var stateCount: Int { automaton.states.count }

    /// Compiles GBNF text; throws `GrammarError` saying where and why it cannot be used.
    ///
    /// Takes time and memory in proportion to the text and to the logarithm of its repetitions, both bounded.
    public init(gbnf text: String) throws(GrammarError) {
        automaton = try AutomatonBuilder.build(GrammarParser.parse(text))
    }
}
