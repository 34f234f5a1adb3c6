/// What an answer's text must keep to.
public struct GrammarConstraint: Hashable, Sendable {
    /// The grammar in GBNF, as llama.cpp takes it; the answer is what its rule `root` says.
    public var gbnf: String
    /// Whether the answer is a text of its own, as in a chat: then the space that a SentencePiece model begins with is no
    /// part of it.
    public var beginsText: Bool

    public init(gbnf: String, beginsText: Bool) {
        self.gbnf = gbnf
        self.beginsText = beginsText
    }
}

/// The tokens that may be sampled.
public struct TokenMask: Hashable, Sendable {
    /// Bit `id % 64` of word `id / 64` says whether the token may come; ids beyond the words may not.
    public let words: [UInt64]

    public init(words: [UInt64]) { self.words = words }

    public func allows(_ token: Int32) -> Bool {
        let word = Int(token) >> 6
        return token >= 0 && word < words.count && words[word] >> UInt64(token & 63) & 1 == 1
    }

    /// The lowest id that may come; nil when none may.
    public var first: Int32? {
        words.firstIndex { $0 != 0 }.map { Int32($0 * 64 + words[$0].trailingZeroBitCount) }
    }
}
