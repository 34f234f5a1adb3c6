@testable import Tokenization

/// A byte-level tokenizer with a token for each byte (its value), some for several bytes, and a chat template.
enum ToyTokenizer {
    static let wholeWords = ["STO", "P!", "ab", " world"]
    static let specials = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|other|>"]

    /// The id of one of `wholeWords`.
    static func word(_ word: String) -> Int32 { Int32(256 + (wholeWords.firstIndex(of: word) ?? 0)) }

    /// The id of one of `specials`.
    static func special(_ name: String) -> Int32 {
        Int32(256 + wholeWords.count + (specials.firstIndex(of: name) ?? 0))
    }

    static var vocabularySize: Int { 256 + wholeWords.count + specials.count }
    static var end: Int32 { special("<|end|>") }

    static func definition() throws -> TokenizerDefinition {
        var pieces = PieceTable()
        for byte in 0..<256 { try pieces.append([UInt8(byte)]) }
        for text in wholeWords + specials { try pieces.append(Array(text.utf8)) }
        return TokenizerDefinition(
            model: .byteLevelBPE, pieces: pieces,
            types: Array(repeating: .normal, count: 256 + wholeWords.count)
                + Array(repeating: .control, count: specials.count),
            merges: [],
            addedTokens: specials.map { name in
                TokenizerDefinition.AddedToken(
                    id: special(name), content: Array(name.utf8), isSpecial: true, stripsLeft: false,
                    stripsRight: false, isSingleWord: false, isNormalized: false)
            },
            addsBOS: false, addsEOS: false, prefixSpace: .never, preTokenizer: .cl100k, ignoresMerges: false,
            bosID: nil, eosID: end, unknownID: nil, padID: nil, endOfSequenceIDs: [end], chatTemplateText: nil)
    }

    /// A text as one token per byte.
    static func bytes(_ text: String) -> [Int32] { text.utf8.map { Int32($0) } }
}
