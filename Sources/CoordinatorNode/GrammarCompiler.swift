import Grammar
import Inference
import Tokenization

/// Compiles grammars for the served vocabulary, one at a time and away from the coordinator.
actor GrammarCompiler {
    private let tokenizerDefinition: [UInt8]
    private let model: ModelDescription
    private var vocabulary: TokenVocabulary?

    init(tokenizerDefinition: [UInt8], model: ModelDescription) {
        self.tokenizerDefinition = tokenizerDefinition
        self.model = model
    }

    /// A machine that has looked at the grammar's usual places already.
    ///
    /// Throws `EngineError` (`invalidRequest`) that says what is wrong with the grammar.
    func machine(for constraint: GrammarConstraint) throws -> GrammarMachine {
        do {
            let vocabulary = try loadVocabulary()
            var machine = GrammarMachine(try Grammar(gbnf: constraint.gbnf), vocabulary)
            machine.prepare()
            return machine
        } catch let error as GrammarError {
            throw EngineError(code: .invalidRequest, message: error.message, parameter: "grammar")
        }
    }

    private func loadVocabulary() throws -> TokenVocabulary {
        if let vocabulary { return vocabulary }
        let tokenizer = try Tokenizer(TokenizerDefinition(encoded: tokenizerDefinition))
        let tokens = (0..<Int32(model.vocabularySize)).map { id in
            tokenizer.definition.types[Int(id)] == .unused ? [] : tokenizer.tokenBytes(id)
        }
        let loaded = try TokenVocabulary(
            tokens: tokens, endTokens: model.endOfSequenceTokens, hasDummyPrefix: tokenizer.stripsLeadingSpace)
        vocabulary = loaded
        return loaded
    }
}
