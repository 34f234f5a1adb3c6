import Grammar
import Inference
import Testing

@testable import Gateway

/// Formats and tools on the faces that are not OpenAI's completions.
struct FaceStructuredTests {
    private func engine(_ text: String) -> ToyEngine { ToyEngine { _, _ in ToyTokenizer.bytes(text) } }

    /// What the engine is asked for and the answer.
    private func answer(_ path: String, _ body: String, _ text: String = "{}") async throws -> (
        request: GenerationRequest, json: JSONValue
    ) {
        let engine = engine(text)
        let json = try await withGateway(engine) { client in
            let answer = try await client.post(path, body)
            #expect(answer.code == 200, "\(answer.text)")
            return try answer.json()
        }
        return (try #require(engine.record.requests.first), json)
    }

    private func accepts(_ request: GenerationRequest, _ text: String) throws -> Bool {
        var machine = GrammarMachine(
            try Grammar(gbnf: try #require(request.grammar).gbnf),
            try TokenVocabulary(tokens: (0..<256).map { [UInt8($0)] }, endTokens: [], hasDummyPrefix: false))
        var state = machine.start(beginsText: true)
        return text.utf8.allSatisfy { machine.advance(&state, by: Int32($0)) } && machine.isComplete(state)
    }

    // MARK: Formats

    private static let schema =
        #"{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}"#

    @Test(arguments: [
        ("/api/chat", #""stream": false, "messages": [{"role": "user", "content": "x"}]"#),
        ("/api/generate", #""stream": false, "prompt": "x""#),
    ]) func `Ollama's format is json or a schema`(path: String, members: String) async throws {
        let object = try await answer(path, "{\"model\": \"toy\", \(members), \"format\": \"json\"}").request
        #expect(try accepts(object, #"{"b": [1]}"#) && !accepts(object, "[1]"))
        let held = try await answer(path, "{\"model\": \"toy\", \(members), \"format\": \(Self.schema)}").request
        #expect(try accepts(held, #"{"a": 1}"#) && !accepts(held, #"{"b": 1}"#))
        #expect(try await answer(path, "{\"model\": \"toy\", \(members), \"format\": \"\"}").request.grammar == nil)
    }

    @Test func `a response's text keeps to its format, which is repeated`() async throws {
        let format = "{\"type\": \"json_schema\", \"name\": \"n\", \"strict\": true, \"schema\": \(Self.schema)}"
        let (request, json) = try await answer(
            "/v1/responses", "{\"input\": \"x\", \"text\": {\"format\": \(format), \"verbosity\": \"medium\"}}")
        #expect(try accepts(request, #"{"a": 1}"#) && !accepts(request, #"{"b": 1}"#))
        #expect(try json["text"]["format"] == JSONReader.read(Array(format.utf8)))
        let object = try await answer("/v1/responses", #"{"input": "x", "text": {"format": {"type": "json_object"}}}"#)
        #expect(try accepts(object.request, "{}") && !accepts(object.request, "x"))
    }

    // MARK: Tools

    private static let call =
        #"<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Pa\"{ris"}}, {"name": "now", "arguments": {}}]<|/tool_call|>"#

    private static let messageTools = #"""
        "model": "toy", "max_tokens": 400, "tools": [{"name": "get_weather", "description": "W", "input_schema":
          {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
         {"type": "custom", "name": "now", "input_schema": {"type": "object", "additionalProperties": false}}]
        """#
    private static let question = #""messages": [{"role": "user", "content": "Q"}]"#

    @Test func `Anthropic's tools make a grammar of calls, as the choice says`() async throws {
        let now = #"<|tool_call|>[{"name": "now", "arguments": {}}]<|/tool_call|>"#
        func request(_ choice: String) async throws -> GenerationRequest {
            let body = "{\(Self.messageTools), \(Self.question), \"tool_choice\": \(choice)}"
            return try await answer("/v1/messages", body, now).request
        }
        for (choice, good, bad) in [
            (#"{"type": "auto"}"#, [Self.call, now, "text"], [now + "x"]),
            (#"{"type": "any"}"#, [Self.call, now], ["text"]),
            (#"{"type": "any", "disable_parallel_tool_use": true}"#, [now], [Self.call]),
            (#"{"type": "tool", "name": "now"}"#, [now], [Self.call, "text"]),
        ] {
            let request = try await request(choice)
            for text in good { #expect(try accepts(request, text), "\(choice): \(text)") }
            for text in bad { #expect(try !accepts(request, text), "\(choice): \(text)") }
        }
        #expect(try await request(#"{"type": "none"}"#).grammar == nil)
    }

    @Test func `Anthropic's calls are blocks of their own, whole and streamed`() async throws {
        let body = "\(Self.messageTools), \(Self.question)"
        try await withGateway(engine("Let me see. " + Self.call)) { client in
            let whole = try await client.post("/v1/messages", "{\(body)}").json()
            #expect(whole["stop_reason"] == "tool_use")
            let content = whole["content"].elements
            #expect(content.map { $0["type"] } == ["text", "tool_use", "tool_use"])
            #expect(content[0]["text"] == "Let me see. ")
            #expect(content[1]["name"] == "get_weather" && content[1]["input"] == ["city": "Pa\"{ris"])
            #expect(content[2]["name"] == "now" && content[2]["input"] == [:])
            #expect(content[1]["id"].text?.hasPrefix("toolu_") == true && content[1]["id"] != content[2]["id"])

            let events = try await client.post("/v1/messages", "{\(body), \"stream\": true}").namedEvents().map(
                \.payload)
            let starts = events.filter { $0["type"] == "content_block_start" }
            #expect(starts.map { $0["index"] } == [0, 1, 2])
            #expect(starts.map { $0["content_block"]["type"] } == ["text", "tool_use", "tool_use"])
            #expect(starts[1]["content_block"]["name"] == "get_weather" && starts[1]["content_block"]["input"] == [:])
            #expect(events.filter { $0["type"] == "content_block_stop" }.map { $0["index"] } == [0, 1, 2])
            let deltas = events.filter { $0["type"] == "content_block_delta" }
            #expect(deltas.compactMap { $0["delta"]["text"].text }.joined() == "Let me see. ")
            let pieces = deltas.filter { $0["index"] == 1 }
            #expect(pieces.count > 3 && pieces.allSatisfy { $0["delta"]["type"] == "input_json_delta" })
            #expect(pieces.compactMap { $0["delta"]["partial_json"].text }.joined() == #"{"city": "Pa\"{ris"}"#)
            let end = try #require(events.first { $0["type"] == "message_delta" })
            #expect(end["delta"]["stop_reason"] == "tool_use")
        }
        // Words only, nothing at all, and a call that is cut off.
        for (text, limit, types, reason) in [
            ("Words", 99, ["text"], "end_turn"), ("", 99, ["text"], "end_turn"),
            (Self.call, 99, ["tool_use"], "max_tokens"), (Self.call, 60, [], "max_tokens"),
        ] as [(String, Int, [JSONValue], JSONValue)] {
            let limited = body.replacing("\"max_tokens\": 400", with: "\"max_tokens\": \(limit)")
            let whole = try await answer("/v1/messages", "{\(limited)}", text).json
            #expect(whole["content"].elements.map { $0["type"] } == types, "\(text) \(limit)")
            #expect(whole["stop_reason"] == reason)
        }
    }

    @Test func `Anthropic's calls and results are read back`() async throws {
        let special = ToyTokenizer.special
        let prompt = try await answer(
            "/v1/messages",
            #"""
            {"model": "toy", "max_tokens": 9, "messages": [{"role": "user", "content": "Q"},
              {"role": "assistant", "content": [{"type": "text", "text": "Hm"},
                {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {"a": 1}}]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                {"type": "text", "text": "12"}]}, {"type": "text", "text": "So?"}]}]}
            """#
        ).request.prompt
        let expected =
            [special("<|user|>")] + ToyTokenizer.bytes("Q") + [special("<|end|>"), special("<|assistant|>")]
            + ToyTokenizer.bytes(#"Hm<|tool_call|>[{"name":"now","arguments":{"a":1}}]<|/tool_call|>"#)
            + [special("<|end|>")] + ToyTokenizer.bytes("<|tool|>12") + [special("<|end|>"), special("<|user|>")]
            + ToyTokenizer.bytes("So?") + [special("<|end|>"), special("<|assistant|>")]
        #expect(prompt == expected)
    }

    private static let responseTools = #"""
        "tools": [{"type": "function", "name": "get_weather", "strict": true, "parameters": {"type": "object",
          "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}},
         {"type": "function", "name": "now"}]
        """#

    @Test func `a response's calls are items, whole and streamed, and the next one knows them`() async throws {
        let engine = engine("Let me see. " + Self.call)
        try await withGateway(engine) { client in
            let whole = try await client.post("/v1/responses", "{\"input\": \"Q\", \(Self.responseTools)}").json()
            let output = whole["output"].elements
            #expect(output.map { $0["type"] } == ["message", "function_call", "function_call"])
            #expect(output[0]["content"][0]["text"] == "Let me see. ")
            #expect(output[1]["name"] == "get_weather" && output[1]["arguments"] == #"{"city": "Pa\"{ris"}"#)
            #expect(output[1]["call_id"].text?.hasPrefix("call_") == true && output[1]["status"] == "completed")
            #expect(whole["tools"].elements.count == 2 && whole["tool_choice"] == "auto")

            let events = try await client.post(
                "/v1/responses", "{\"input\": \"Q\", \(Self.responseTools), \"stream\": true}"
            ).namedEvents().map(\.payload)
            #expect(events.enumerated().allSatisfy { $1["sequence_number"] == JSONValue($0) })
            let added = events.filter { $0["type"] == "response.output_item.added" }
            #expect(added.map { $0["output_index"] } == [0, 1, 2])
            #expect(added[1]["item"]["arguments"] == "" && added[1]["item"]["status"] == "in_progress")
            let pieces = events.filter {
                $0["type"] == "response.function_call_arguments.delta" && $0["output_index"] == 1
            }
            #expect(pieces.count > 3 && pieces.allSatisfy { $0["item_id"] == added[1]["item"]["id"] })
            #expect(pieces.compactMap { $0["delta"].text }.joined() == #"{"city": "Pa\"{ris"}"#)
            let done = events.filter { $0["type"] == "response.output_item.done" }.map { $0["item"] }
            let last = try #require(events.last)
            #expect(last["type"] == "response.completed" && last["response"]["output"].elements == done)

            // Every token of what was said comes again.
            let next = #"{"type": "function_call_output", "call_id": "call_1", "output": "12"}"#
            let id = whole["id"].text ?? ""
            let answer = try await client.post(
                "/v1/responses", "{\"previous_response_id\": \"\(id)\", \"input\": [\(next)], \(Self.responseTools)}")
            #expect(answer.code == 200, "\(answer.text)")
            let apart = try await client.post(
                "/v1/responses",
                #"{"input": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "Let me see. "}, "#
                    + #"{"type": "function_call", "call_id": "a", "name": "get_weather", "arguments": "{\"city\":\"Pa\\\"{ris\"}"}, "#
                    + #"{"type": "function_call", "call_id": "call_1", "name": "now", "arguments": "{}"}, "#
                    + "\(next)], \(Self.responseTools)}")
            #expect(apart.code == 200, "\(apart.text)")
        }
        let prompts = engine.record.requests.map(\.prompt)
        #expect(prompts.count == 4 && prompts[2] == prompts[3] && prompts[2].count > prompts[0].count)
    }

    @Test(arguments: [
        (#"{"input": "x", "tools": [{"type": "function"}]}"#, "tools[0].name"),
        (#"{"input": "x", "tools": [{"type": "function", "name": "f"}], "top_logprobs": 1}"#, "top_logprobs"),
        (#"{"input": "x", "tool_choice": "required"}"#, "tool_choice"),
        (#"{"input": "x", "tool_choice": {"type": "function", "name": "f"}}"#, "tool_choice"),
        (#"{"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}"#, "input[0]"),
        (
            #"{"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "["}]}"#,
            "input[0].arguments"
        ),
        (#"{"input": [{"type": "function_call_output", "output": "x"}]}"#, "input[0].call_id"),
        (#"{"input": [{"type": "function_call_output", "call_id": "c"}]}"#, "input[0].output"),
        (#"{"input": "x", "text": {"format": {"type": "json_schema", "schema": {}}}}"#, "text.format.name"),
        (
            #"{"input": "x", "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": 1}}}}"#,
            "text.format.schema"
        ),
    ]) func `what a response cannot have is refused by name`(body: String, parameter: String) async throws {
        try await withGateway { client in
            let answer = try await client.post("/v1/responses", body)
            #expect(answer.code == 400, "\(answer.text)")
            #expect(try answer.json()["error"]["param"].text == parameter, "\(answer.text)")
        }
    }

    @Test(arguments: [
        #""tool_choice": {"type": "any"}"#, #""tool_choice": {"type": "tool", "name": "f"}"#, #""tool_choice": "auto""#,
        #""tools": [{"name": "f", "input_schema": {"type": 1}}]"#,
        #""tools": [{"type": "bash_20250124", "name": "bash"}]"#,
        #""messages": [{"role": "user", "content": [{"type": "tool_result", "content": "x"}]}]"#,
        #""messages": [{"role": "user", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}]"#,
        #""messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {}}]}]"#,
    ]) func `what a message cannot have is refused`(members: String) async throws {
        let messages = members.contains("messages") ? "" : ", " + Self.question
        try await withGateway { client in
            let answer = try await client.post(
                "/v1/messages", "{\"model\": \"toy\", \"max_tokens\": 9, \(members)\(messages)}")
            #expect(try answer.code == 400 && answer.json()["type"] == "error", "\(answer.text)")
        }
    }
}
