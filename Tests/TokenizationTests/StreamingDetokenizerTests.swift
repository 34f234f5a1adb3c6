import Testing

@testable import Tokenization

struct StreamingDetokenizerTests {
    private static func tokenizer(_ name: String) throws -> Tokenizer {
        try Tokenizer(TokenizerDefinition(tokenizerJSON: GoldenFiles.resource("\(name).tokenizer.json")))
    }

    @Test(arguments: ["cl100k", "o200k", "sentencepiece"])
    func `a stream adds up to the whole, and every part is whole characters`(name: String) throws {
        let tokenizer = try Self.tokenizer(name)
        let seed: UInt64 = 5
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var text = RandomText.make(using: &generator)
            text.unicodeScalars.removeAll { $0 == "\u{FFFD}" }
            let ids = tokenizer.encode(text, parseSpecial: false, addBOS: false)
            var detokenizer = StreamingDetokenizer(tokenizer, stripLeadingSpace: true)
            let parts = ids.map { detokenizer.append($0) } + [detokenizer.finish()]
            #expect(parts.joined().scalars == text.scalars, "seed \(seed): \(text.debugDescription)")
            #expect(!parts.joined().unicodeScalars.contains("\u{FFFD}"), "seed \(seed)")
        }
    }

    @Test func `random ids decode to replacement characters, alike in a stream and at once`() throws {
        let tokenizer = try Self.tokenizer("sentencepiece")
        let seed: UInt64 = 6
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let ids = (0..<40).map { _ in Int32.random(in: -2...700, using: &generator) }
            let bytes = ids.flatMap { tokenizer.tokenBytes($0) }
            let expected = String(decoding: bytes.first == 0x20 ? bytes[1...] : bytes[...], as: UTF8.self)
            #expect(tokenizer.decode(ids).scalars == expected.scalars, "seed \(seed): \(ids)")
        }
    }

    @Test func `the dummy prefix is dropped from an answer and kept in a continuation`() throws {
        let tokenizer = try Self.tokenizer("sentencepiece")
        let ids = tokenizer.encode("the sea", parseSpecial: false, addBOS: false)
        var answer = StreamingDetokenizer(tokenizer, stripLeadingSpace: true)
        var continuation = StreamingDetokenizer(tokenizer, stripLeadingSpace: false)
        #expect(ids.map { answer.append($0) }.joined() == "the sea")
        #expect(ids.map { continuation.append($0) }.joined() == " the sea")
    }

    @Test func `byte-level text keeps its leading space`() throws {
        let tokenizer = try Self.tokenizer("cl100k")
        let ids = tokenizer.encode(" the sea", parseSpecial: false, addBOS: false)
        #expect(tokenizer.decode(ids) == " the sea")
    }

    @Test func `structure is shown on request`() throws {
        let tokenizer = try Self.tokenizer("o200k")
        let ids = tokenizer.encode("a<|end|>b", parseSpecial: true, addBOS: false)
        #expect(ids.count == 3)
        #expect(tokenizer.decode(ids) == "ab")
        #expect(tokenizer.decode(ids, skipSpecial: false) == "a<|end|>b")
    }
}
