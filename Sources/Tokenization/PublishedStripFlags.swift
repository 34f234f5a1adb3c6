/// The strip flags of the family's special tokens, for files that do not carry any (GGUF, a bare `tokenizer.model`).
///
/// A model is recognised by where its special tokens lie relative to each other, never by its display name, which
/// anyone may change.
enum PublishedStripFlags {
    /// Sets the flags of a vocabulary that is recognised; leaves any other alone.
    static func apply(to tokens: inout [TokenizerDefinition.AddedToken], model: TokenizerDefinition.Model) {
        guard let published = rules.first(where: { $0.model == model && $0.fits(tokens) }) else { return }
        for index in tokens.indices where !published.plain.contains(where: { tokens[index].contentIs($0) }) {
            tokens[index].stripsLeft = published.stripsLeft
            tokens[index].stripsRight = true
        }
    }

    private struct Rule {
        let model: TokenizerDefinition.Model
        /// Texts and where they lie, relative to the first.
        let fingerprint: [(text: String, offset: Int32)]
        /// The tokens without flags.
        let plain: [String]
        let stripsLeft: Bool

        func fits(_ tokens: [TokenizerDefinition.AddedToken]) -> Bool {
            guard let base = tokens.first(where: { $0.contentIs(fingerprint[0].text) })?.id else { return false }
            return fingerprint.allSatisfy { mark in
                tokens.contains { $0.id == base &+ mark.offset && $0.contentIs(mark.text) }
            }
        }
    }

    private static let rules = [
        // Phi-3 and Phi-3.5: after the 32,000 pieces of Llama 2.
        Rule(
            model: .sentencePieceBPE,
            fingerprint: [
                ("<|endoftext|>", 0), ("<|assistant|>", 1), ("<|system|>", 6), ("<|end|>", 7), ("<|user|>", 10),
            ],
            plain: ["<unk>", "<s>", "<|endoftext|>"], stripsLeft: false),
        // Phi-4: 100257 and up.
        Rule(
            model: .byteLevelBPE,
            fingerprint: [("<|endoftext|>", 0), ("<|im_start|>", 7), ("<|im_end|>", 8), ("<|im_sep|>", 9)],
            plain: ["\u{FFFD}"], stripsLeft: true),
        // Phi-4-mini: 199999, then 200018 and up.
        Rule(
            model: .byteLevelBPE,
            fingerprint: [("<|assistant|>", 0), ("<|end|>", 1), ("<|user|>", 2), ("<|system|>", 3), ("<|tool|>", 4)],
            plain: ["<|endoftext|>", "<|endofprompt|>"], stripsLeft: false),
    ]
}

extension TokenizerDefinition.AddedToken {
    /// Whether the content is exactly `text`, byte for byte.
    func contentIs(_ text: String) -> Bool { content.elementsEqual(text.utf8) }
}
