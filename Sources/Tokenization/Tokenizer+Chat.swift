extension Tokenizer {
    /// The model's chat template; throws when it is none of the built-in ones.
    public func chatTemplate() throws(TokenizerError) -> ChatTemplate { try ChatTemplate.detect(definition) }

    /// A chat as the model's template writes it, for people to read. To run it, use `encode(messages:)`.
    public func render(messages: [ChatMessage], addGenerationPrompt: Bool) throws(TokenizerError) -> String {
        try chatTemplate().render(
            messages, addGenerationPrompt: addGenerationPrompt,
            bosToken: definition.content(of: definition.bosID) ?? "",
            eosToken: definition.content(of: definition.eosID) ?? "")
    }

    /// The ids of a chat.
    ///
    /// Special tokens count where the template writes them; in what people say they are text. Otherwise the ids equal
    /// those of the rendered text: white space that a special token swallows is swallowed from a message too, and
    /// nothing but the template puts a beginning-of-text token in front.
    public func encode(messages: [ChatMessage], addGenerationPrompt: Bool) throws(TokenizerError) -> [Int32] {
        let segments = try chatTemplate().segments(
            messages, addGenerationPrompt: addGenerationPrompt,
            bosToken: definition.content(of: definition.bosID) ?? "",
            eosToken: definition.content(of: definition.eosID) ?? "")
        var text: [UInt8] = []
        var literals: [Range<Int>] = []
        for segment in segments {
            let start = text.count
            text += segment.text.utf8
            if segment.isLiteral, text.count > start { literals.append(start..<text.count) }
        }
        return encode(text, specialRegions: literals)
    }
}
