/// Everything that is needed to build a model's tokenizer, whichever files it came from.
///
/// A value that travels: `encoded()` is canonical, so its SHA-256 names it. Read one from files with
/// `init(tokenizerJSON:...)`, `init(sentencePieceModel:...)` or `init(gguf:)`.
public struct TokenizerDefinition: Sendable, Equatable {
    /// How text is cut into tokens.
    public enum Model: UInt8, Sendable {
        /// SentencePiece's BPE: spaces become U+2581, characters outside the vocabulary become byte tokens.
        case sentencePieceBPE = 0
        /// GPT-2's BPE over bytes, within the words that a pre-tokenizer cuts.
        case byteLevelBPE = 1
    }

    /// What a vocabulary entry is. The numbers are those of GGUF's `tokenizer.ggml.token_type`.
    public enum TokenType: UInt8, Sendable {
        /// Text.
        case normal = 1
        /// Stands for text that the vocabulary cannot express.
        case unknown = 2
        /// Structure (`<s>`, `<|end|>`); not part of decoded text.
        case control = 3
        /// Added by the model's makers, part of decoded text.
        case userDefined = 4
        /// Never produced: padding of the vocabulary.
        case unused = 5
        /// One byte, `<0x0A>`.
        case byte = 6
    }

    /// When SentencePiece's dummy prefix, a space, is put before text.
    public enum PrefixSpace: UInt8, Sendable {
        /// Never.
        case never = 0
        /// Before every stretch of text between special tokens, also one that begins with a space.
        case everyStretch = 1
        /// Before every stretch that does not begin with a space.
        case everyUnspacedStretch = 2
        /// Before text at the very beginning that does not begin with a space.
        case firstUnspacedStretch = 3
    }

    /// How byte-level BPE cuts text into words.
    public enum PreTokenizer: UInt8, Sendable {
        /// No words: the whole stretch is one.
        case none = 0
        /// The expression of GPT-4 (`cl100k`), which Phi-4 uses.
        case cl100k = 1
        /// The expression of GPT-4o (`o200k`), which Phi-4-mini uses.
        case o200k = 2
    }

    /// Two tokens that become one; the position in `merges` is the rank, lower first.
    public struct Merge: Sendable, Equatable {
        /// The id of the left half.
        public var left: Int32
        /// The id of the right half.
        public var right: Int32
    }

    /// A token that is recognised in text as a whole, before anything else is cut.
    public struct AddedToken: Sendable, Equatable {
        /// Its id.
        public var id: Int32
        /// Its text, UTF-8.
        public var content: [UInt8]
        /// Whether it is structure rather than text.
        public var isSpecial: Bool
        /// Whether it swallows the white space before it.
        public var stripsLeft: Bool
        /// Whether it swallows the white space after it.
        public var stripsRight: Bool
        /// Whether it is recognised only where no word character touches it.
        public var isSingleWord: Bool
        /// The flag `normalized` of its file. Recognition does not depend on it: no model of the family normalises
        /// its added tokens.
        public var isNormalized: Bool
    }

    /// How text is cut.
    public var model: Model
    /// The texts by id: UTF-8 with U+2581 for spaces in SentencePiece, the plain bytes in byte-level BPE.
    public var pieces: PieceTable
    /// What each entry is, by id.
    public var types: [TokenType]
    /// In order of rank. Scores of a SentencePiece model have become ranks, as in its conversion to `tokenizer.json`.
    public var merges: [Merge]
    /// In order of id.
    public var addedTokens: [AddedToken]
    /// Whether the model wants `bosID` before every plain prompt. Chats get theirs from the template.
    public var addsBOS: Bool
    /// Whether the model wants `eosID` after every prompt.
    public var addsEOS: Bool
    /// SentencePiece's dummy prefix.
    public var prefixSpace: PrefixSpace
    /// The words of byte-level BPE.
    public var preTokenizer: PreTokenizer
    /// Whether a word that is in the vocabulary is taken whole, whatever the merges say.
    public var ignoresMerges: Bool
    /// The token that begins a text.
    public var bosID: Int32?
    /// The token that ends a text.
    public var eosID: Int32?
    /// The token for what cannot be expressed.
    public var unknownID: Int32?
    /// The token that fills.
    public var padID: Int32?
    /// The tokens at which generation ends. Built here from the tokenizer's own `eosID` and the template's enders; whoever
    /// reads a checkpoint adds those of its configuration files.
    public var endOfSequenceIDs: [Int32]
    /// The chat template as the files have it (Jinja), or nil.
    public var chatTemplateText: String?

    /// How many ids there are.
    public var vocabularySize: Int { pieces.count }

    /// The text of an id, as the vocabulary spells it.
    public func content(of id: Int32?) -> String? {
        guard let id, id >= 0, Int(id) < pieces.count else { return nil }
        return String(decoding: pieces[Int(id)], as: UTF8.self)
    }

    /// The id of an added token, by its text.
    public func addedTokenID(_ content: String) -> Int32? {
        let bytes = Array(content.utf8)
        return addedTokens.first { $0.content == bytes }?.id
    }
}
