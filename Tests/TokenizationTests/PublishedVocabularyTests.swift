import TestSupport
import Testing

@testable import Tokenization

/// The real Phi-3 vocabulary against the reference libraries' ids.
@Suite(.enabled(if: Fixtures.areHere, Comment(rawValue: Fixtures.reason)))
struct PublishedVocabularyTests {
    struct Case: Decodable {
        let id: String
        let text: String
        let ids: [Int32]
        let decoded: String?
    }

    private static func tokenizer() throws -> Tokenizer {
        let gguf = GGUFVocabulary(try GoldenFiles.fixture("tokenizer/ggml-vocab-phi-3.gguf")).metadata
        return try Tokenizer(TokenizerDefinition(gguf: gguf))
    }

    @Test func `every text of the Llama vocabulary's cases has the ids of sentencepiece`() throws {
        let tokenizer = try Self.tokenizer()
        let cases = try GoldenFiles.lines(
            GoldenFiles.fixture("tokenizer/llama-spm-cases.jsonl"), as: Case.self)
        #expect(cases.count == 176)
        for row in cases {
            #expect(tokenizer.encode(row.text, parseSpecial: false, addBOS: false) == row.ids, "\(row.id)")
            #expect(tokenizer.decode(row.ids).scalars == (row.decoded ?? row.text).scalars, "\(row.id)")
        }
    }

    @Test func `special tokens are parsed by the rules of Phi-3`() throws {
        let tokenizer = try Self.tokenizer()
        let cases = try GoldenFiles.lines(
            GoldenFiles.fixture("tokenizer/phi3-special-cases.jsonl"), as: Case.self)
        #expect(!cases.isEmpty)
        for row in cases {
            #expect(tokenizer.encode(row.text, parseSpecial: true, addBOS: false) == row.ids, "\(row.id)")
        }
    }

    @Test func `the test strings published with the vocabulary have their ids`() throws {
        let tokenizer = try Self.tokenizer()
        let texts = String(decoding: try GoldenFiles.fixture("tokenizer/ggml-vocab-phi-3.gguf.inp"), as: UTF8.self)
            .split(separator: "\n__ggml_vocab_test__\n", omittingEmptySubsequences: false)
        let rows = String(decoding: try GoldenFiles.fixture("tokenizer/ggml-vocab-phi-3.gguf.out"), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        #expect(texts.count >= 40)
        for (text, row) in zip(texts, rows) {
            let ids = row.split(separator: " ").compactMap { Int32($0) }
            #expect(tokenizer.encode(String(text), parseSpecial: false, addBOS: false) == ids, "\(text)")
        }
    }

    struct Stream: Decodable {
        let id: String
        let kind: String
        let ids: [Int32]
        let stripLeadingSpace: Bool?
        let tokenBytesHex: [String]?
        let emit: [String]?
        let pendingHexAtEnd: String?
    }

    @Test func `a stream emits whole characters only, as early as it can`() throws {
        let tokenizer = try Self.tokenizer()
        let streams = try GoldenFiles.lines(
            GoldenFiles.fixture("tokenizer/llama-spm-stream.jsonl"), as: Stream.self)
        #expect(!streams.isEmpty)
        for row in streams {
            for (id, bytes) in zip(row.ids, row.tokenBytesHex ?? []) {
                #expect(tokenizer.tokenBytes(id) == Self.bytes(hex: bytes), "\(row.id), token \(id)")
            }
            var detokenizer = StreamingDetokenizer(tokenizer, stripLeadingSpace: row.stripLeadingSpace ?? true)
            let emitted = row.ids.map { detokenizer.append($0) }
            if row.kind == "invalid-bytes" {
                #expect((emitted.joined() + detokenizer.finish()).unicodeScalars.contains("\u{FFFD}"), "\(row.id)")
                continue
            }
            #expect(emitted.map(\.scalars) == row.emit?.map(\.scalars), "\(row.id)")
            #expect(detokenizer.pendingBytes == Self.bytes(hex: row.pendingHexAtEnd ?? ""), "\(row.id)")
            #expect(detokenizer.finish() == (row.pendingHexAtEnd ?? "" == "" ? "" : "\u{FFFD}"), "\(row.id)")
        }
    }

    private static func bytes(hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).compactMap(hexadecimalDigit)
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    @Test func `a word of 200,000 characters is one piece of work`() throws {
        let tokenizer = try Self.tokenizer()
        let word = String(repeating: "donaudampfschiff", count: 12_500)
        let ids = tokenizer.encode(word, parseSpecial: true, addBOS: false)
        #expect(tokenizer.decode(ids) == word)
        #expect(ids.count < 100_000)
    }

    @Test func `the definition survives its encoding`() throws {
        let definition = try Self.tokenizer().definition
        let bytes = definition.encoded()
        let decoded = try TokenizerDefinition(encoded: bytes)
        #expect(decoded == definition)
        #expect(decoded.encoded() == bytes)
        #expect(definition.endOfSequenceIDs == [32000, 32007])
        #expect(try ChatTemplate.detect(definition) == ChatTemplate(family: .phi3Medium, beginsWithBOS: true))
    }
}
