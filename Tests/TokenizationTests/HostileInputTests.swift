import Testing

@testable import Tokenization

/// Files that are broken, by accident or on purpose, get an error and never more.
struct HostileInputTests {
    /// Damages a file in one of the ways that files get damaged.
    private static func mutate(_ original: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.removeSubrange(at...)
            case 3: bytes.insert(contentsOf: bytes[at..<min(at + 40, bytes.count)], at: at)
            case 4: bytes.removeSubrange(at..<min(at + 7, bytes.count))
            default:
                let end = min(at + 4, bytes.count)
                bytes.replaceSubrange(at..<end, with: [0xFF, 0xFF, 0xFF, 0x7F])
            }
        }
        return bytes
    }

    /// Whatever can still be built must also work.
    private static func exercise(_ definition: TokenizerDefinition) {
        guard let tokenizer = try? Tokenizer(definition) else { return }
        let ids = tokenizer.encode(" a<|end|> the\u{0}é👍<s>", parseSpecial: true, addBOS: true)
        _ = tokenizer.decode(ids + [-1, Int32.max, 3, 260])
        _ = try? tokenizer.encode(messages: [ChatMessage(role: .user, content: "a")], addGenerationPrompt: true)
    }

    @Test(arguments: ["cl100k.tokenizer.json", "sentencepiece.tokenizer.json"])
    func `a damaged tokenizer.json never crashes`(name: String) throws {
        let original = try GoldenFiles.resource(name)
        var refused = 0
        for seed in 0..<300 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            do {
                Self.exercise(
                    try TokenizerDefinition(tokenizerJSON: Self.mutate(original, using: &generator)))
            } catch { refused += 1 }
        }
        #expect(refused > 50)
    }

    @Test func `a damaged tokenizer.model never crashes`() throws {
        let original = try GoldenFiles.resource("sentencepiece.tokenizer.model")
        var refused = 0
        for seed in 0..<500 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            do {
                Self.exercise(
                    try TokenizerDefinition(sentencePieceModel: Self.mutate(original, using: &generator)))
            } catch { refused += 1 }
        }
        #expect(refused > 100)
    }

    @Test func `a damaged definition never crashes`() throws {
        let original = try TokenizerDefinition(
            tokenizerJSON: GoldenFiles.resource("o200k.tokenizer.json")
        ).encoded()
        var refused = 0
        for seed in 0..<1000 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            do { Self.exercise(try TokenizerDefinition(encoded: Self.mutate(original, using: &generator))) } catch {
                refused += 1
            }
        }
        #expect(refused > 300)
        for count in 0..<200 {
            #expect(throws: TokenizerError.self) { try TokenizerDefinition(encoded: Array(original.prefix(count))) }
        }
        #expect(throws: TokenizerError.self) { try TokenizerDefinition(encoded: original + [0]) }
    }

    @Test func `damaged small files never crash`() throws {
        let config = Array(
            #"""
            {"add_bos_token": true, "added_tokens_decoder": {"700": {"content": "<|x|>", "special": true,
            "rstrip": true}}, "bos_token": {"content": "<s>"}, "chat_template": [{"name": "default",
            "template": "{% for message in messages %}{{ message['content'] }}{% endfor %}"}]}
            """#.utf8)
        let original = try GoldenFiles.resource("sentencepiece.tokenizer.json")
        for seed in 0..<300 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let damaged = Self.mutate(config, using: &generator)
            if let definition = try? TokenizerDefinition(tokenizerJSON: original, tokenizerConfig: damaged) {
                Self.exercise(definition)
            }
        }
    }

    @Test func `files of another kind are refused by what they are`() throws {
        func refusal(_ json: String) -> TokenizerError? {
            #expect(throws: TokenizerError.self) { try TokenizerDefinition(tokenizerJSON: Array(json.utf8)) }
        }
        #expect(refusal("")?.code == .malformed)
        #expect(refusal("[]")?.code == .malformed)
        #expect(refusal(#"{"model": {"type": "Unigram", "vocab": [["a", 1.0]]}}"#)?.code == .unsupported)
        #expect(refusal(#"{"model": {"type": "BPE", "vocab": {"a": 0}}}"#)?.code == .unsupported)
        #expect(refusal(#"{"model": {"type": "BPE", "vocab": {"a": 99999999}}}"#)?.code == .malformed)
        #expect(refusal(#"{"model": {"type": "BPE", "vocab": {"a": 0, "b": 0}}}"#)?.message.contains("id 0") == true)
        #expect(
            refusal(#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"], "byte_fallback": true}}"#)?
                .message.contains("merge 0") == true)
        #expect(refusal(String(repeating: "[", count: 100_000))?.code == .malformed)
        #expect(
            refusal(#"{"added_tokens": "# + String(repeating: "[", count: 100_000))?.message.contains("deeper") == true)
    }

    @Test func `GGUF metadata that contradicts itself is refused`() throws {
        func refusal(_ change: (inout GGUFTokenizerMetadata) -> Void) -> String {
            var metadata = GGUFTokenizerMetadata(
                model: "llama", tokens: [Array("<unk>".utf8), Array("a".utf8)], scores: [0, -1], types: [2, 1])
            change(&metadata)
            let error = #expect(throws: TokenizerError.self) { try TokenizerDefinition(gguf: metadata) }
            return error?.message ?? ""
        }
        #expect(refusal { $0.model = "bert" }.contains("bert"))
        #expect(refusal { $0.scores = nil }.contains("scores"))
        #expect(refusal { $0.scores = [0] }.contains("scores"))
        #expect(refusal { $0.scores = [0, .nan] }.contains("token 1"))
        #expect(refusal { $0.types = [1] }.contains("token_type"))
        #expect(refusal { $0.types = [1, 77] }.contains("77"))
        #expect(refusal { $0.bosID = 2 }.contains("bos"))
        #expect(refusal { $0.eosID = -1 }.contains("eos"))
        var absent = GGUFTokenizerMetadata(model: "llama", tokens: [Array("a".utf8)], scores: [0])
        absent.padID = Int(UInt32.max)
        #expect(try TokenizerDefinition(gguf: absent).padID == nil)
        #expect(refusal { $0.tokens = [] }.contains("tokens"))
        #expect(refusal { $0.tokens[1] = [0xFF] }.contains("UTF-8"))
        #expect(refusal { $0.model = "gpt2" }.contains("merges"))
        #expect(refusal { ($0.model, $0.merges, $0.pre) = ("gpt2", [], "qwen2") }.contains("qwen2"))
    }
}
