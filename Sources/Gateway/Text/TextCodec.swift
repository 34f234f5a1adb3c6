/// The way between text and tokens, as the gateway needs it.
protocol TextCodec: Sendable {
    /// The tokens of a text.
    ///
    /// - Parameters:
    ///   - addingBeginning: Whether the beginning-of-sequence token comes first, if the model has one.
    ///   - parsingSpecial: Whether names of special tokens in the text mean these tokens.
    func encode(_ text: String, addingBeginning: Bool, parsingSpecial: Bool) throws -> [Int32]

    /// The tokens of a conversation in the model's own template, up to where the assistant speaks.
    func encode(chat turns: [ChatTurn]) throws -> [Int32]

    /// The text of tokens, with the names of special tokens in it.
    func decode(_ tokens: [Int32]) -> String

    /// How the model is told about functions that it may call.
    var toolStyle: ToolStyle { get }

    /// A fresh way from tokens to text.
    ///
    /// - Parameter continuing: Whether text comes before, so that the first word keeps its leading space.
    func makeTextStream(continuing: Bool) -> any TokenTextStream

    /// The bytes that a token stands for when text comes before it; for a special token its name.
    func bytes(of token: Int32) -> [UInt8]
}

/// Turns tokens into text as they come. Special tokens have no text.
protocol TokenTextStream: Sendable {
    /// The text that is complete with this token; never half a character.
    mutating func append(_ token: Int32) -> String

    /// What is left at the end: a replacement character for bytes that never became one.
    mutating func finish() -> String
}
