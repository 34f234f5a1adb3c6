import Checkpoint
import Tokenization

/// Tokenizers of the right kind and size for models that have learned nothing.
///
/// Special tokens have the texts and ids of the published models, bytes are there so that any text can be encoded, and
/// the other pieces are all short words over a to z, with and without a space before them, each mergeable from a
/// shorter one.
enum SyntheticTokenizer {
    /// A block of special tokens: the first id, and texts by their distance from it.
    struct Specials {
        let first: Int
        let texts: [(offset: Int, text: String)]
    }

    static let phi3Texts = [
        "<|endoftext|>", "<|assistant|>", "<|placeholder1|>", "<|placeholder2|>", "<|placeholder3|>",
        "<|placeholder4|>", "<|system|>", "<|end|>", "<|placeholder5|>", "<|placeholder6|>", "<|user|>",
    ]
    static let phi4Specials = Specials(
        first: 100_257,
        texts: [
            (0, "<|endoftext|>"), (1, "<|fim_prefix|>"), (2, "<|fim_middle|>"), (3, "<|fim_suffix|>"),
            (7, "<|im_start|>"), (8, "<|im_end|>"), (9, "<|im_sep|>"), (19, "<|endofprompt|>"),
        ])
    static let phi4MiniSpecials = Specials(
        first: 199_999,
        texts: [
            (0, "<|endoftext|>"), (19, "<|endofprompt|>"), (20, "<|assistant|>"), (21, "<|end|>"), (22, "<|user|>"),
            (23, "<|system|>"), (24, "<|tool|>"), (25, "<|/tool|>"), (26, "<|tool_call|>"), (27, "<|/tool_call|>"),
            (28, "<|tool_response|>"), (29, "<|tag|>"),
        ])

    /// The tokenizer of a shape.
    static func metadata(for shape: SyntheticShape) -> GGUFTokenizerMetadata {
        let count = shape.configuration.vocabularySize
        switch shape {
        case .phi4:
            return byteLevel(
                phi4Specials, pre: "dbrx", count: count, bosID: 100_257, eosID: 100_265, template: phi4Template)
        case .phi4Mini:
            return byteLevel(
                phi4MiniSpecials, pre: "gpt-4o", count: count, bosID: 199_999, eosID: 199_999,
                template: phi4MiniTemplate)
        default: return sentencePiece(pieceCount: shape.pieceCount, count: count)
        }
    }

    /// Phi-3's kind: Llama's control and byte tokens, pieces with falling scores, special tokens, padding.
    private static func sentencePiece(pieceCount: Int, count: Int) -> GGUFTokenizerMetadata {
        var vocabulary = Vocabulary(count: count)
        vocabulary.add("<unk>", .control, score: -1000)
        vocabulary.add("<s>", .control, score: -1000)
        vocabulary.add("</s>", .userDefined, score: -1000)
        for byte in 0..<256 { vocabulary.add("<0x\(hexadecimal(byte))>", .byte, score: 0) }
        let singles = (0x21...0x7E).map { String(UnicodeScalar(UInt8($0))) } + ["\u{2581}"]
        let firstPiece = vocabulary.tokens.count
        func addPiece(_ text: String) {
            vocabulary.add(text, .normal, score: Float(firstPiece - vocabulary.tokens.count))
        }
        forEachWord(upTo: pieceCount - firstPiece - singles.count, mark: "\u{2581}") { word, _ in addPiece(word) }
        for single in singles { addPiece(single) }
        for text in phi3Texts { vocabulary.add(text, .control, score: -1000) }
        vocabulary.pad()
        return GGUFTokenizerMetadata(
            model: "llama", pre: "default", tokens: vocabulary.tokens, scores: vocabulary.scores,
            types: vocabulary.types, bosID: 1, eosID: pieceCount, unknownID: 0, padID: pieceCount, addsBOS: false,
            addsEOS: false, chatTemplate: phi3Template)
    }

    /// Phi-4's kind: bytes, words with their merges, special tokens, padding.
    private static func byteLevel(
        _ specials: Specials, pre: String, count: Int, bosID: Int, eosID: Int, template: String
    ) -> GGUFTokenizerMetadata {
        var vocabulary = Vocabulary(count: count)
        for byte in 0..<256 { vocabulary.add(ByteAlphabet.text(of: [UInt8(byte)]), .normal, score: 0) }
        let space = String(decoding: ByteAlphabet.text(of: [0x20]), as: UTF8.self)
        var merges: [[UInt8]] = []
        forEachWord(upTo: specials.first - 256, mark: space) { word, prefix in
            vocabulary.add(word, .normal, score: 0)
            merges.append(Array("\(prefix) \(word.last.map(String.init) ?? "")".utf8))
        }
        vocabulary.pad(to: specials.first)
        for (offset, text) in specials.texts {
            vocabulary.pad(to: specials.first + offset)
            vocabulary.add(text, .control, score: 0)
        }
        vocabulary.pad()
        return GGUFTokenizerMetadata(
            model: "gpt2", pre: pre, tokens: vocabulary.tokens, types: vocabulary.types, merges: merges, bosID: bosID,
            eosID: eosID, padID: eosID, addsBOS: false, chatTemplate: template)
    }

    /// Calls `body` with words of two characters and more, and what they are without their last letter: "ma" from "m",
    /// and "m" and "ma" after a space's mark, shorter ones first.
    private static func forEachWord(upTo count: Int, mark: String, _ body: (_ word: String, _ prefix: String) -> Void) {
        let letters = (UInt8(ascii: "a")...UInt8(ascii: "z")).map { String(UnicodeScalar($0)) }
        var left = count
        var stems = [""]
        while left > 0 {
            for stem in stems {
                for letter in letters {
                    for start in [mark, ""] where start + stem != "" {
                        guard left > 0 else { return }
                        left -= 1
                        body(start + stem + letter, start + stem)
                    }
                }
            }
            stems = stems.flatMap { stem in letters.map { stem + $0 } }
        }
    }

    private static func hexadecimal(_ byte: Int) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.count == 1 ? "0" + digits : digits
    }

    private struct Vocabulary {
        let count: Int
        var tokens: [[UInt8]] = []
        var scores: [Float] = []
        var types: [Int32] = []

        init(count: Int) { self.count = count }

        mutating func add(_ text: String, _ type: TokenizerDefinition.TokenType, score: Float) {
            add(Array(text.utf8), type, score: score)
        }

        mutating func add(_ text: [UInt8], _ type: TokenizerDefinition.TokenType, score: Float) {
            precondition(tokens.count < count, "a vocabulary larger than its model's")
            tokens.append(text)
            scores.append(score)
            types.append(Int32(type.rawValue))
        }

        /// Unused tokens up to an id, or to the end, as converters write them.
        mutating func pad(to end: Int? = nil) {
            while tokens.count < end ?? count { add("[PAD\(tokens.count)]", .unused, score: -10_000) }
        }
    }

    // The published templates, in a short form.
    private static let phi3Template =
        "{% for message in messages %}{{'<|' + message['role'] + '|>' + '\n' + message['content'] + '<|end|>\n' }}"
        + "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
    private static let phi4Template =
        "{% for message in messages %}{% if (message['role'] == 'system') %}"
        + "{{'<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}"
        + "{% elif (message['role'] == 'user') %}"
        + "{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}"
        + "{% elif (message['role'] == 'assistant') %}"
        + "{{'<|im_start|>assistant<|im_sep|>' + message['content'] + '<|im_end|>'}}"
        + "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
    private static let phi4MiniTemplate =
        "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and "
        + "message['tools'] is not none %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + "
        + "message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}"
        + "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
}
