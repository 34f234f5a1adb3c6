import Foundation
import Testing

@testable import Gateway

struct JSONTests {
    private func read(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

    @Test func `values of every kind are read`() throws {
        let value = try read(
            #" { "a" : [1, -2, 3.5, 1e3, true, false, null], "b": {"c": "d\n\u00e9\ud83d\ude42\/"}, "":"" } "#)
        #expect(
            value == [
                "a": [.integer(1), .integer(-2), .double(3.5), .double(1000), true, false, .null],
                "b": ["c": "d\né🙂/"],
                "": "",
            ])
    }

    @Test(
        arguments: [
            "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "01", "+1", "1.", ".5", "1e", "-", "nul", "tru", "\"",
            "\"\\x\"",
            "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"", "[1 2]", "{} {}", "{\"a\":1,\"a\":2}",
            "NaN",
            "Infinity", "1e400", "'a'", "\u{FEFF}{}",
        ])
    func `malformed text is refused`(text: String) {
        #expect(throws: JSONReader.Failure.self) { try read(text) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: JSONReader.Failure.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
        #expect(throws: JSONReader.Failure.self) { try JSONReader.read([0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test func `depth and number of values are bounded`() throws {
        let deepest = JSONReader.maxDepth
        _ = try read(String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
        #expect(throws: JSONReader.Failure.self) { try read(String(repeating: "[", count: deepest + 1)) }
        #expect(throws: JSONReader.Failure.self) { try read(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONReader.Failure.self) { try JSONReader.read(Array("[1,2,3]".utf8), maxValueCount: 3) }
        _ = try JSONReader.read(Array("[1,2,3]".utf8), maxValueCount: 4)
    }

    @Test func `integers keep all their digits and large ones become numbers`() throws {
        #expect(try read("9223372036854775807") == .integer(.max))
        #expect(try read("-9223372036854775808") == .integer(.min))
        #expect(try read("9223372036854775808") == .double(9_223_372_036_854_775_808))
        #expect(try read("1e308").integer == nil)
        #expect(try read("16.0").integer == 16)
        #expect(try read("16.5").integer == nil)
    }

    @Test func `what is written reads back`() throws {
        let value: JSONValue = [
            "text": .string((0..<300).compactMap(Unicode.Scalar.init).map(String.init).joined() + "🙂\"\\"),
            "numbers": [.integer(.min), .double(0.1), .double(1e-300), .integer(0)], "nested": [[:], [], .null, true],
        ]
        #expect(try JSONReader.read(value.encoded) == value)
    }

    @Test func `a single is written so that it reads back exactly`() throws {
        for value: Float in [-0.1, -1e-10, -12.345678, 0, -.leastNonzeroMagnitude, -123456.79] {
            let read = try JSONReader.read(JSONValue.single(value).encoded).number
            #expect(read.map(Float.init) == value)
        }
        #expect(JSONValue.logprob(-.infinity) == .single(-9999))
        #expect(JSONValue.logprob(.nan) == .single(-9999))
    }

    @Test func `Foundation agrees on what is JSON`() {
        var random = SeededRandom(seed: 20_260_101)
        let seedText = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",true,null,{"b":{}}],"c":""}"#.utf8)
        for round in 0..<2000 {
            var bytes = seedText
            for _ in 0..<(1 + Int(random.next() % 3)) { random.mutate(&bytes) }
            let isOurs = (try? JSONReader.read(bytes)) != nil
            guard isOurs else { continue }
            let isTheirs = (try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])) != nil
            #expect(isTheirs, "seed 20260101, round \(round): \(String(decoding: bytes, as: UTF8.self))")
        }
    }
}
