import Grammar
import Inference
import Testing

@testable import Gateway

/// What the engine is asked for when an answer must keep to something.
struct StructuredTests {
    private static let chat = #""messages": [{"role": "user", "content": "Hi"}]"#

    /// The grammar that a request brings to the engine.
    private func grammar(_ members: String, route: String = "chat/completions") async throws -> GrammarConstraint? {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.post("/v1/\(route)", "{\(members)}")
            #expect(answer.code == 200, "\(answer.text)")
        }
        return try #require(engine.record.requests.first).grammar
    }

    private func accepts(_ constraint: GrammarConstraint?, _ text: String) throws -> Bool {
        let tokens = (0..<256).map { [UInt8($0)] }
        var machine = GrammarMachine(
            try Grammar(gbnf: try #require(constraint).gbnf),
            try TokenVocabulary(tokens: tokens, endTokens: [], hasDummyPrefix: false))
        var state = machine.start(beginsText: true)
        return text.utf8.allSatisfy { machine.advance(&state, by: Int32($0)) } && machine.isComplete(state)
    }

    @Test(arguments: [
        (#""response_format": {"type": "json_object"}"#, #"{"a": [1]}"#, "[1]"),
        (
            #""response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": "#
                + #"{"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "null"}}, "#
                + #""required": ["b", "a"], "additionalProperties": false}}}"#, #"{"b": 1, "a": null}"#,
            #"{"a": null, "b": 1}"#
        ),
        (#""grammar": "root ::= \"yes\" | \"no\"""#, "yes", "maybe"),
        (#""json_schema": {"enum": [1, 2]}"#, "2", "3"), (#""guided_json": "{\"const\": true}""#, "true", "false"),
        (#""guided_regex": "[a-c]{2}|x$""#, "ab", "abc"), (#""guided_choice": ["a[b", "c\"d"]"#, "c\"d", "c"),
        (#""guided_grammar": "root ::= \"q\"""#, "q", "p"),
        (#""structured_outputs": {"choice": ["x", "yz"]}"#, "yz", "y"),
        (#""structured_outputs": {"json": {"type": "boolean"}}"#, "false", "null"),
        (#""structured_outputs": {"json_object": true}"#, "{}", "1"),
        (#""structured_outputs": {"regex": "\\d\\."}"#, "7.", "7,"),
    ]) func `every parameter for structured answers becomes a grammar`(
        members: String, good: String, bad: String
    ) async throws {
        let constraint = try await grammar("\(Self.chat), \(members)")
        #expect(constraint?.beginsText == true)
        #expect(try accepts(constraint, good))
        #expect(try !accepts(constraint, bad))
        let completion = try await grammar("\"prompt\": \"x\", \(members)", route: "completions")
        #expect(completion?.gbnf == constraint?.gbnf && completion?.beginsText == false)
    }

    @Test func `text is free`() async throws {
        #expect(try await grammar("\(Self.chat), \"response_format\": {\"type\": \"text\"}") == nil)
        #expect(try await grammar("\(Self.chat), \"structured_outputs\": {}") == nil)
    }

    // MARK: Tools

    static let tools = #"""
        "tools": [
            {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters":
                {"type": "object", "properties": {"city": {"type": "string"}, "days": {"$ref": "#/$defs/d"}},
                 "required": ["city"], "$defs": {"d": {"type": "integer", "minimum": 1, "maximum": 9}}}}},
            {"type": "function", "function": {"name": "now"}}]
        """#

    private static let call =
        #"<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Pa\"{ris", "days": 3}}]<|/tool_call|>"#

    @Test func `tools make a grammar of calls, and text where the model may choose`() async throws {
        let auto = try await grammar("\(Self.chat), \(Self.tools)")
        let required = try await grammar("\(Self.chat), \(Self.tools), \"tool_choice\": \"required\"")
        let named = try await grammar(
            "\(Self.chat), \(Self.tools), \"tool_choice\": {\"type\": \"function\", \"function\": {\"name\": \"now\"}}")
        let single = try await grammar(
            "\(Self.chat), \(Self.tools), \"tool_choice\": \"required\", \"parallel_tool_calls\": false")
        let none = try await grammar("\(Self.chat), \(Self.tools), \"tool_choice\": \"none\"")
        let formatted = try await grammar(
            "\(Self.chat), \(Self.tools), \"response_format\": {\"type\": \"json_object\"}")
        let now = #"<|tool_call|>[{"name": "now", "arguments": {}}]<|/tool_call|>"#
        let both = #"<|tool_call|>[{"name":"now","arguments":{}}, {"name":"now","arguments":{}}]<|/tool_call|>"#
        let wrong = #"<|tool_call|>[{"name": "get_weather", "arguments": {"days": 3}}]<|/tool_call|>"#
        for (constraint, good, bad) in [
            (auto, [Self.call, "Let me see. <|tool" + Self.call, now, both, "2 < 3", ""], [wrong, Self.call + "x"]),
            (required, [Self.call, now, both], ["text", wrong]), (named, [now], [Self.call, "text"]),
            (single, [Self.call, now], [both]), (formatted, [Self.call, "{}"], ["text"]),
        ] {
            for text in good { #expect(try accepts(constraint, text), "\(text)") }
            for text in bad { #expect(try !accepts(constraint, text), "\(text)") }
        }
        #expect(none == nil)
    }

    private func script(_ text: String) -> ToyEngine {
        ToyEngine { _, _ in ToyTokenizer.bytes(text) }
    }

    @Test func `calls come back as OpenAI has them, whole and streamed`() async throws {
        let text =
            #"I'll look. <|tool_call|>[{"name": "get_weather", "arguments": {"city": "Pa\"{ris"}}, "#
            + #"{"name": "now", "arguments": {}}]<|/tool_call|>"#
        try await withGateway(script(text)) { client in
            let whole = try await client.chat("{\(Self.chat), \(Self.tools)}").json()["choices"][0]
            #expect(whole["finish_reason"] == "tool_calls")
            #expect(whole["message"]["content"] == "I'll look. ")
            let calls = whole["message"]["tool_calls"].elements
            #expect(calls.count == 2)
            #expect(calls[0]["type"] == "function" && calls[0]["function"]["name"] == "get_weather")
            #expect(calls[0]["function"]["arguments"] == .string(#"{"city": "Pa\"{ris"}"#))
            #expect(calls[1]["function"] == ["name": "now", "arguments": "{}"])
            #expect(calls[0]["id"].text?.hasPrefix("call_") == true && calls[0]["id"] != calls[1]["id"])

            let chunks = try await client.chat("{\(Self.chat), \(Self.tools), \"stream\": true}").chunks()
            let deltas = chunks.map { $0["choices"][0]["delta"] }
            #expect(deltas.compactMap { $0["content"].text }.joined() == "I'll look. ")
            let pieces = deltas.flatMap { $0["tool_calls"].elements }
            for index in 0..<2 {
                let mine = pieces.filter { $0["index"] == JSONValue(index) }
                #expect(mine.first?["id"].text?.hasPrefix("call_") == true)
                #expect(mine.first?["function"]["name"] == calls[index]["function"]["name"])
                #expect(mine.dropFirst().allSatisfy { $0["id"] == .null && $0["function"]["name"] == .null })
                let arguments = mine.compactMap { $0["function"]["arguments"].text }.joined()
                #expect(.string(arguments) == calls[index]["function"]["arguments"])
            }
            #expect(pieces.count > 10)
            #expect(chunks.last?["choices"][0]["finish_reason"] == "tool_calls")
        }
    }

    @Test func `an answer in words and one that is cut are no finished calls`() async throws {
        try await withGateway(script("Just <b> text")) { client in
            let choice = try await client.chat("{\(Self.chat), \(Self.tools)}").json()["choices"][0]
            #expect(choice["message"]["content"] == "Just <b> text" && choice["finish_reason"] == "stop")
            #expect(choice["message"]["tool_calls"] == .null)
        }
        try await withGateway(script(Self.call)) { client in
            let choice = try await client.chat("{\(Self.chat), \(Self.tools), \"max_tokens\": 60}").json()["choices"][0]
            #expect(choice["finish_reason"] == "length" && choice["message"]["content"] == .null)
            #expect(choice["message"]["tool_calls"][0]["function"]["name"] == "get_weather")
        }
    }

    @Test func `the native prompt holds tools, calls and results`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.chat(
                #"""
                {"messages": [{"role": "user", "content": "Q"},
                  {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
                    "function": {"name": "now", "arguments": "{ \"a\" : 1 }"}}]},
                  {"role": "tool", "tool_call_id": "call_1", "content": "12:00"}],
                 "tools": [{"type": "function", "function": {"name": "now", "strict": true}}]}
                """#)
            #expect(answer.code == 200, "\(answer.text)")
        }
        let special = ToyTokenizer.special
        let prompt = try #require(engine.record.requests.first).prompt
        let expected =
            [special("<|system|>")] + ToyTokenizer.bytes(#"<|tool|>[{"name":"now"}]<|/tool|>"#)
            + [special("<|end|>"), special("<|user|>")] + ToyTokenizer.bytes("Q")
            + [special("<|end|>"), special("<|assistant|>")]
            + ToyTokenizer.bytes(#"<|tool_call|>[{"name":"now","arguments":{"a":1}}]<|/tool_call|>"#)
            + [special("<|end|>")] + ToyTokenizer.bytes("<|tool|>12:00")
            + [special("<|end|>"), special("<|assistant|>")]
        #expect(prompt == expected)
    }

    @Test func `other models are told in words`() throws {
        let fields = try RequestFields(JSONReader.read(Array("{\(Self.tools)}".utf8)))
        let tools = try #require(try ToolSet(fields))
        let turns = [
            ChatTurn(role: .user, content: "Q"), ChatTurn(role: .assistant, content: "", toolCalls: "[1]"),
            ChatTurn(role: .tool, content: "A"), ChatTurn(role: .tool, content: "B"),
        ]
        let withSystem = ToolStyle.prompted(hasSystem: true).turns(turns, tools: tools)
        #expect(withSystem.map(\.role) == [.system, .user, .assistant, .user])
        #expect(withSystem[0].content.contains(tools.json) && withSystem[0].content.contains("<tool_call>[{"))
        #expect(withSystem[2] == ChatTurn(role: .assistant, content: "<tool_call>[1]</tool_call>"))
        #expect(
            withSystem[3].content
                == "<tool_response>\nA\n</tool_response>\n<tool_response>\nB\n</tool_response>")
        let own = [ChatTurn(role: .system, content: "S")] + turns
        #expect(ToolStyle.prompted(hasSystem: true).turns(own, tools: tools)[0].content.hasPrefix("S\n\nYou can call"))
        let without = ToolStyle.prompted(hasSystem: false).turns(turns, tools: tools)
        #expect(without[0].role == .user && without[0].content.hasSuffix("\n\nQ"))
        #expect(ToolStyle.prompted(hasSystem: true).turns(turns, tools: nil).count == 3)
    }
}
