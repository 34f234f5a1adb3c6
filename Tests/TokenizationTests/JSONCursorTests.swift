import Foundation
import Testing

@testable import Tokenization

struct JSONCursorTests {
    private func read(_ text: String) throws -> JSONValue { try JSONValue(Array(text.utf8), file: "test") }

    @Test func `values are what they say`() throws {
        let value = try read(
            #" {"a": [1, -2.5e1, true, false, null, "x\n\"\\\/é\ud83d\udc4d"], "a": {}, "é": "e\u0301"} "#)
        #expect(value["a"] == .object([]))
        #expect(value.members.count == 3)
        #expect(
            value.members[0].value
                == .array([
                    .number(1), .number(-25), .bool(true), .bool(false), .null, .string(Array("x\n\"\\/é👍".utf8)),
                ]))
        // Canonically equal, yet different keys.
        #expect(value["e\u{301}"] == nil)
        #expect(value["é"]?.text?.scalars == [0x65, 0x301])
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "nul", "tru", "01x", "--1", "1 1", "\"",
        "\"\\x\"",
        "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\u{1}\"", "1e999", "\"\\u12\"",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: TokenizerError.self) { try read(text) }
    }

    @Test func `strings agree with Foundation`() throws {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<200 {
            let text = RandomText.make(using: &generator)
            let bytes = Array(try JSONEncoder().encode([text]))
            #expect(try JSONValue(bytes, file: "test") == .array([.string(Array(text.utf8))]))
        }
    }
}
