/// Turns ids into text as they come; never emits half a character.
///
/// **The leading space.** A SentencePiece model begins its text with a space that is not meant (the dummy prefix).
/// An answer in a chat is a text of its own: strip it, as transformers does when it decodes the new tokens alone.
/// A continuation of the user's text (`/v1/completions`) keeps it: there it is the space between two words.
/// Byte-level models have no such space and never strip.
public struct StreamingDetokenizer: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecial: Bool
    private var stripsNextSpace: Bool
    private var assembler = UTF8Assembler()

    /// Begins a text.
    ///
    /// - Parameters:
    ///   - tokenizer: The model's.
    ///   - stripLeadingSpace: Whether the very first space is dropped. It takes effect only where the tokenizer puts one.
    ///   - skipSpecial: Whether structure (`<|end|>`) is left out.
    public init(_ tokenizer: Tokenizer, stripLeadingSpace: Bool, skipSpecial: Bool = true) {
        self.tokenizer = tokenizer
        self.skipSpecial = skipSpecial
        stripsNextSpace = stripLeadingSpace && tokenizer.stripsLeadingSpace
    }

    /// Takes the next id; returns the characters that it completes, possibly none.
    public mutating func append(_ id: Int32) -> String {
        let bytes = tokenizer.tokenBytes(id, skipSpecial: skipSpecial)
        guard stripsNextSpace, let first = bytes.first else { return assembler.append(bytes) }
        stripsNextSpace = false
        return assembler.append(first == 0x20 ? bytes[1...] : bytes[...])
    }

    /// Ends the text; returns U+FFFD when it ends inside a character, else nothing.
    public mutating func finish() -> String { assembler.finish() }

    /// The bytes of an unfinished character that are held back.
    public var pendingBytes: [UInt8] { assembler.pendingBytes }
}
