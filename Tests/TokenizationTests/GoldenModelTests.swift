import TestSupport
import Testing

@testable import Tokenization

/// The golden models' prompts and chats, from every kind of file that a model comes in.
@Suite(.enabled(if: Fixtures.areHere, Comment(rawValue: Fixtures.reason)))
struct GoldenModelTests {
    static let checkpoints = [
        "phi3-mini-like", "phi3-medium-like", "phi3-128k-like", "phi4-mini-like", "phimoe-like",
    ]
    static let ggufs = [
        "gguf-phi3-like/phi-3-like-Q8_0", "gguf-phi3-like/phi-3-like-Q4_0", "gguf-phi3-like/phi-3-like-Q4_K_M",
        "gguf-phi3-like/phi-3-like-Q5_K_M", "gguf-phi3-like/phi-3-like-Q6_K", "gguf-phi3-float-like/phi-3-like-F32",
        "gguf-phi3-float-like/phi-3-like-F16", "gguf-phi3-float-like/phi-3-like-BF16",
        "gguf-phi3-128k-like/phi-3-128k-like-F16", "gguf-phi4-mini-like/phi-4-mini-like-Q8_0",
    ]

    struct Expected: Decodable {
        struct Prompt: Decodable {
            let name: String?
            let text: String?
            let promptIds: [Int32]
            let addSpecialTokens: Bool?
            let greedyIds: [Int32]?
            let greedyText: String?
        }
        struct Chat: Decodable {
            struct Message: Decodable {
                let role: String
                let content: String
                let tools: String?
            }
            let name: String
            let messages: [Message]
            let addGenerationPrompt: Bool
            let rendered: String
            let ids: [Int32]
        }
        let prompts: [Prompt]
        let chat: [Chat]?
    }

    static func definition(fromJSON name: String) throws -> TokenizerDefinition {
        try TokenizerDefinition(
            tokenizerJSON: GoldenFiles.fixture("models/\(name)/tokenizer.json"),
            tokenizerConfig: GoldenFiles.fixture("models/\(name)/tokenizer_config.json"),
            specialTokensMap: GoldenFiles.fixture("models/\(name)/special_tokens_map.json"),
            addedTokens: GoldenFiles.fixture("models/\(name)/added_tokens.json"))
    }

    static func definition(fromModel name: String) throws -> TokenizerDefinition {
        try TokenizerDefinition(
            sentencePieceModel: GoldenFiles.fixture("models/\(name)/tokenizer.model"),
            tokenizerConfig: GoldenFiles.fixture("models/\(name)/tokenizer_config.json"),
            specialTokensMap: GoldenFiles.fixture("models/\(name)/special_tokens_map.json"),
            addedTokens: GoldenFiles.fixture("models/\(name)/added_tokens.json"))
    }

    private func check(_ definition: TokenizerDefinition, _ path: String) throws {
        let tokenizer = try Tokenizer(definition)
        let expected = try GoldenFiles.document(GoldenFiles.fixture(path), as: Expected.self)
        for prompt in expected.prompts {
            if let text = prompt.text {
                let ids = tokenizer.encode(
                    text, parseSpecial: true, addBOS: prompt.addSpecialTokens == true && tokenizer.addsBOS)
                #expect(ids == prompt.promptIds, "\(path), \(prompt.name ?? text)")
            }
            if let text = prompt.greedyText, let ids = prompt.greedyIds {
                #expect(tokenizer.decode(ids).scalars == text.scalars, "\(path), \(prompt.name ?? text)")
            }
        }
        for chat in expected.chat ?? [] {
            let messages = try chat.messages.map {
                ChatMessage(role: try #require(ChatRole(rawValue: $0.role)), content: $0.content, tools: $0.tools)
            }
            let rendered = try tokenizer.render(messages: messages, addGenerationPrompt: chat.addGenerationPrompt)
            #expect(rendered.scalars == chat.rendered.scalars, "\(path), \(chat.name)")
            let ids = try tokenizer.encode(messages: messages, addGenerationPrompt: chat.addGenerationPrompt)
            if messages.contains(where: { $0.content.contains("<|end|>") }) {
                // The reference parses what the user merely mentions; here only the template's own tokens count.
                let mentioned = tokenizer.encode(messages[0].content, parseSpecial: true, addBOS: false)
                let structure = chat.ids.filter(tokenizer.isSpecial).count
                #expect(ids != chat.ids)
                #expect(
                    ids.filter(tokenizer.isSpecial).count == structure - mentioned.filter(tokenizer.isSpecial).count)
                #expect(tokenizer.decode(ids).contains("<|end|>"))
            } else {
                #expect(ids == chat.ids, "\(path), \(chat.name)")
            }
            #expect(tokenizer.encode(chat.rendered, parseSpecial: true, addBOS: false) == chat.ids)
        }
    }

    @Test(arguments: checkpoints) func `prompts and chats from tokenizer.json`(name: String) throws {
        try check(Self.definition(fromJSON: name), "models/\(name)/expected.json")
    }

    @Test(arguments: checkpoints) func `prompts and chats from tokenizer.model`(name: String) throws {
        try check(Self.definition(fromModel: name), "models/\(name)/expected.json")
    }

    @Test(arguments: ggufs) func `prompts and chats from GGUF`(name: String) throws {
        let gguf = GGUFVocabulary(try GoldenFiles.fixture("models/\(name).gguf")).metadata
        try check(TokenizerDefinition(gguf: gguf), "models/\(name).expected.json")
    }

    @Test func `all sources of a model give equal ids to any text`() throws {
        let seed: UInt64 = 7
        var generator = SeededGenerator(seed: seed)
        let bare = try TokenizerDefinition(
            sentencePieceModel: GoldenFiles.fixture("models/phi3-mini-like/tokenizer.model"),
            addedTokens: GoldenFiles.fixture("models/phi3-mini-like/added_tokens.json"))
        let gguf = GGUFVocabulary(
            try GoldenFiles.fixture("models/gguf-phi3-float-like/phi-3-like-F32.gguf")
        ).metadata
        let tokenizers = try [
            Self.definition(fromJSON: "phi3-mini-like"), Self.definition(fromModel: "phi3-mini-like"), bare,
            TokenizerDefinition(gguf: gguf),
        ].map { try Tokenizer($0) }
        for _ in 0..<500 {
            let text = RandomText.make(using: &generator, specials: ["<|user|>", "<|end|>", "</s>", "<s>", "<unk>"])
            let ids = tokenizers.map { $0.encode(text, parseSpecial: true, addBOS: false) }
            #expect(ids.allSatisfy { $0 == ids[0] }, "seed \(seed): \(text.debugDescription)")
            let plain = tokenizers.map { $0.encode(text, parseSpecial: false, addBOS: false) }
            #expect(plain.allSatisfy { $0 == plain[0] }, "seed \(seed): \(text.debugDescription)")
        }
    }
}

/// Text that mixes scripts, spaces, marks, line ends and special tokens.
enum RandomText {
    private static let atoms = [
        "a", "e", "the", "The", " the", "ing", "1", "23", " ", "  ", "\t", "\n", "\r\n", "\u{A0}", "\u{3000}", "é",
        "e\u{301}",
        "ß", "Ж", "港", "한", "न", "ा", "👍", "👨‍👩‍👧", "\u{200D}", "'s", "'LL", "'", "!", "...", "/", "<", "<|", "|>",
        "<0x0A>",
        "\u{0}", "\u{FEFF}", "\u{FFFD}", "𝐀", "½", "ª",
    ]

    static func make(using generator: inout SeededGenerator, specials: [String] = []) -> String {
        let pool = atoms + specials
        return (0..<Int.random(in: 0...20, using: &generator))
            .map { _ in pool.randomElement(using: &generator) ?? "" }.joined()
    }
}
