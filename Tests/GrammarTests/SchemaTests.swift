import TestSupport
import Testing

@testable import Grammar

/// What a schema's grammar lets through, held against a validator of its own.
@Suite struct SchemaTests {
    static func machine(_ schema: String) throws -> GrammarMachine {
        var text = GrammarText()
        text.define("root", try text.add(schema: SchemaValue(try JSONTree(schema))))
        return try MaskTests.machine(text.gbnf)
    }

    /// A random answer; nil when it got too long.
    static func answer(_ machine: inout GrammarMachine, using random: inout SeededGenerator) throws -> String? {
        var state = machine.start(beginsText: false)
        var text: [UInt8] = []
        for _ in 0..<600 {
            let mask = machine.mask(state)
            let allowed = MaskTests.vocabulary.indices.filter { mask[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
            // Closing what is open, more often than not, so that answers end.
            let closing = allowed.filter { MaskTests.vocabulary[$0].allSatisfy { "\"}]0,".utf8.contains($0) } }
            let pool = !closing.isEmpty && Int.random(in: 0..<3, using: &random) > 0 ? closing : allowed
            let token = Int32(try #require(pool.randomElement(using: &random)))
            #expect(machine.advance(&state, by: token))
            if state.hasEnded { return String(decoding: text, as: UTF8.self) }
            text += MaskTests.vocabulary[Int(token)]
        }
        return nil
    }

    @Test func `every answer to a random schema parses and validates`() throws {
        var schemas = RandomSchema(seed: 11)
        var random = SeededGenerator(seed: 12)
        var endedCount = 0
        for number in 0..<300 {
            let schema = schemas.next()
            let check = SchemaCheck(try JSONTree(schema))
            var machine = try Self.machine(schema)
            for _ in 0..<4 {
                guard let answer = try Self.answer(&machine, using: &random) else { continue }
                endedCount += 1
                let value = try JSONTree(answer)
                #expect(check.problem(value) == nil, "schema \(number): \(schema)\nanswer: \(answer)")
            }
        }
        #expect(endedCount > 900)
    }

    @Test func `every answer that is JSON alone parses`() throws {
        var text = GrammarText()
        text.define("root", text.basic(.object))
        var machine = try MaskTests.machine(text.gbnf)
        var random = SeededGenerator(seed: 5)
        var endedCount = 0
        for _ in 0..<200 {
            guard let answer = try Self.answer(&machine, using: &random) else { continue }
            endedCount += 1
            guard case .object = try JSONTree(answer) else {
                Issue.record("\(answer) is no object")
                continue
            }
        }
        #expect(endedCount > 100)
    }

    static func accepts(_ schema: String, _ text: String) throws -> Bool {
        var machine = try machine(schema)
        var state = machine.start(beginsText: false)
        return text.utf8.allSatisfy { machine.advance(&state, by: Int32($0)) } && machine.isComplete(state)
    }

    static let meanings: [(schema: String, good: [String], bad: [String])] = [
        (
            #"{"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["b"]}"#,
            [#"{"b": 1}"#, #"{"a":-7,"b":[null]}"#], [#"{"a": 1}"#, #"{"b": 1, "c": 2}"#, #"{"b":1,"a":2}"#, "{}"]
        ),
        (
            #"{"type": "object", "properties": {"ab": {}}, "additionalProperties": {"type": "null"}}"#,
            [#"{}"#, #"{"a": null, "abc": null}"#, #"{"ab": 3, "": null}"#, #"{"x": null}"#],
            [#"{"a": 1}"#, #"{"x": null, "ab": 3}"#, #"{"\u0061b": null}"#]
        ),
        (
            #"{"type": "integer", "minimum": -12, "maximum": 105}"#, ["-12", "-1", "0", "9", "99", "105"],
            ["-13", "106", "-0", "007", "1.0"]
        ),
        (#"{"type": "number", "minimum": 0, "maximum": 1}"#, ["0", "1", "0.5", "0.999"], ["1.1", "-0.5", "2"]),
        (
            #"{"type": "string", "maxLength": 2}"#, [#""""#, #""\ud83d\ude00é""#, #""\n\"""#],
            [#""abc""#, #""\ud83d""#]
        ),
        (#"{"type": "string", "pattern": "b"}"#, [#""abc""#, #""b""#], [#""ac""#]),
        (
            #"{"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3}"#,
            ["[true,false]", "[ true, true, true ]"], ["[true]", "[true,true,true,true]", "[1,2]"]
        ),
        (#"{"type": ["integer", "number"]}"#, ["1", "1.5"], ["true"]),
        (
            ##"{"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}"##,
            ["[[],[[]]]"], ["[1]"]
        ),
        (#"{"const": {"a": [1, "x"]}}"#, [#"{"a":[1,"x"]}"#], [#"{"a":[1]}"#]),
    ]

    @Test(arguments: meanings)
    func `keywords mean what the specification says`(schema: String, good: [String], bad: [String]) throws {
        let check = SchemaCheck(try JSONTree(schema))
        for text in good {
            #expect(try Self.accepts(schema, text), "\(text)")
            #expect(check.problem(try JSONTree(text)) == nil, "\(text)")
        }
        for text in bad { #expect(try !Self.accepts(schema, text), "\(text)") }
    }

    static let refusals: [(schema: String, name: String, place: String)] = [
        (#"{"type": "object", "patternProperties": {}}"#, "'patternProperties'", "'#'"),
        (#"{"type": "object", "properties": {"a": {"not": {}}}}"#, "'not'", "'#/properties/a'"),
        (#"{"type": "array", "uniqueItems": true}"#, "'uniqueItems'", "'#'"),
        (#"{"type": "integer", "multipleOf": 3}"#, "'multipleOf'", "'#'"),
        (#"{"type": "string", "format": "regex"}"#, "'regex'", "date-time"),
        (#"{"type": "string", "pattern": "(?=a)"}"#, "'(?='", "character"),
        (#"{"type": "string", "pattern": "(a)\\1"}"#, "not supported", "'#'"),
        (##"{"$ref": "#/$defs/nowhere"}"##, "'$ref'", "nowhere"),
        (#"{"$ref": "https://example.com/x"}"#, "'$ref'", "leads nowhere"),
        (#"{"allOf": [{"type": "string"}, {"type": "integer"}]}"#, "'allOf'", "two types"),
        (#"{"oneOf": [{"type": "integer"}, {"type": "number"}]}"#, "'oneOf/0'", "'anyOf'"),
        (#"{"type": "text"}"#, "'type'", "integer"),
        (#"{"type": "integer", "minimum": 3, "maximum": 2}"#, "no integer", "'#'"),
        (##"{"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}, {}]}}, "$ref": "#/$defs/a"}"##, "circle", "'"),
        (##"{"$ref": "#"}"##, "'root'", "end"),
        (##"{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##, "'root'", "end"),
    ]

    @Test(arguments: refusals)
    func `what cannot be honoured is refused by name and place`(schema: String, name: String, place: String) throws {
        let error = #expect(throws: GrammarError.self) { try Self.machine(schema) }
        let message = error?.message ?? ""
        // A keyword's own words may be cut; its name may not.
        #expect(message.contains(name.replacing("'(?='", with: "'(?'")), "\(message)")
        #expect(message.contains(place), "\(message)")
    }

    /// Nothing that a client may send takes long or much: every one of these ends at once, with a grammar or an error.
    @Test func `hostile schemas are bounded`() throws {
        let deep =
            String(repeating: #"{"type": "array", "items": "#, count: 300) + "{}" + String(repeating: "}", count: 300)
        let doubling = (0..<40).map {
            ##""d\##($0)": {"allOf": [{"$ref": "#/$defs/d\##($0 + 1)"}, {"$ref": "#/$defs/d\##($0 + 1)"}]}"##
        }
        let branching = (0..<12).map {
            ##""d\##($0)": {"type": "object", "anyOf": [{"$ref": "#/$defs/d\##($0 + 1)"}, {"$ref": "#/$defs/d\##($0 + 1)"}]}"##
        }
        let names = (0..<3000).map { "\"p\($0)\": {}" }.joined(separator: ", ")
        let values = (0..<6000).map(String.init).joined(separator: ", ")
        let hostile = [
            deep,
            "{\"$defs\": {\(doubling.joined(separator: ", ")), \"d40\": {}}, \"$ref\": \"#/$defs/d0\"}",
            "{\"$defs\": {\(branching.joined(separator: ", ")), \"d12\": {\"properties\": {\(names)}}}, \"$ref\": \"#/$defs/d0\"}",
            "{\"allOf\": [{\"properties\": {\(names)}}, {\"properties\": {\(names)}}]}",
            "{\"oneOf\": [{\"enum\": [\(values)]}, {\"enum\": [\(values)]}]}",
            "{\"properties\": {\(names)}, \"additionalProperties\": true}",
            "{\"properties\": {\"\(String(repeating: "x", count: 100_000))\": {}}, \"additionalProperties\": true}",
            #"{"type": "string", "pattern": "((((((((((a{1000}){1000}){1000}){1000}){1000}){1000}){1000}){1000}))))"}"#,
            #"{"type": "string", "maxLength": 1000000, "minLength": 999999}"#,
            #"{"type": "array", "items": {"type": "array", "maxItems": 1000000}, "maxItems": 1000000}"#,
            ##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}"##,
            ##"{"anyOf": [{"$ref": "#"}, {"type": "null"}]}"##,
        ]
        var goodCount = 0
        for schema in hostile {
            guard var machine = try? Self.machine(schema) else { continue }
            goodCount += 1
            let state = machine.start(beginsText: false)
            #expect(machine.mask(state).contains { $0 != 0 })
        }
        #expect(goodCount >= 2)
    }

    @Test func `damaged schemas never crash`() throws {
        var schemas = RandomSchema(seed: 31)
        var random = SeededGenerator(seed: 32)
        let words = ["1", "-5", "null", "true", "[]", "{}", "\"x\"", "\"object\"", "1e15", "0.5", "\"#\""]
        var refusedCount = 0
        for _ in 0..<3000 {
            var parts = schemas.next().split(separator: " ").map(String.init)
            let place = Int.random(in: 0..<parts.count, using: &random)
            parts[place] = (words.randomElement(using: &random) ?? "") + (parts[place].hasSuffix(",") ? "," : "")
            guard let tree = try? JSONTree(parts.joined(separator: " ")) else { continue }
            var text = GrammarText()
            do {
                text.define("root", try text.add(schema: SchemaValue(tree)))
                _ = try Grammar(gbnf: text.gbnf)
            } catch {
                refusedCount += 1
            }
        }
        #expect(refusedCount > 100)
    }
}
