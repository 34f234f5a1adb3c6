import AsyncHTTPClient
import Inference
import NIOHTTP1
import Testing

@testable import Gateway

struct MessageRouteTests {
    private static let question = #""model": "toy", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]"#

    @Test func `a message has Anthropic's shape`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            var request = client.request(
                .POST, "/v1/messages",
                """
                {"model": "toy", "max_tokens": 100, "temperature": 0, "top_k": 7, "metadata": {"user_id": "u"},
                 "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
                 "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]},
                              {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]}
                """)
            request.headers.add(name: "anthropic-version", value: "2023-06-01")
            request.headers.add(name: "x-api-key", value: "none")
            let answer = try await client.send(request)
            #expect(answer.code == 200, "\(answer.text)")
            let json = try answer.json()
            #expect(json["type"] == "message" && json["role"] == "assistant" && json["model"] == "toy")
            #expect(json["id"].text?.hasPrefix("msg_") == true)
            #expect(json["content"] == [["type": "text", "text": .string(ToyEngine.answer)]])
            #expect(json["stop_reason"] == "end_turn")
            #expect(json["stop_sequence"] == .null)
            let promptCount = Int64(engine.record.requests[0].prompt.count)
            #expect(json["usage"]["input_tokens"] == .integer(promptCount - 3))
            #expect(json["usage"]["cache_read_input_tokens"] == 3)
            #expect(json["usage"]["output_tokens"].integer == Int64(ToyEngine.answer.utf8.count + 1))
        }
        let special = ToyTokenizer.special
        let request = try #require(engine.record.requests.first)
        #expect(
            request.prompt.filter { $0 >= 256 && $0 != ToyTokenizer.end } == [
                special("<|system|>"), special("<|user|>"), special("<|assistant|>"), special("<|user|>"),
                special("<|assistant|>"),
            ])
        #expect(request.sampling.topK == 7)
    }

    @Test func `a streamed message tells the documented events in order`() async throws {
        try await withGateway { client in
            let answer = try await client.post(
                "/v1/messages", "{\(Self.question), \"temperature\": 0, \"stream\": true}")
            let events = try answer.namedEvents()
            let deltas = events.filter { $0.name == "content_block_delta" }
            #expect(
                events.map(\.name) == ["message_start", "content_block_start", "ping"] + deltas.map(\.name)
                    + ["content_block_stop", "message_delta", "message_stop"])
            #expect(events.allSatisfy { $0.payload["type"].text == $0.name })
            #expect(deltas.compactMap { $0.payload["delta"]["text"].text }.joined() == ToyEngine.answer)
            #expect(events[0].payload["message"]["usage"]["input_tokens"] == 5)
            let end = events[events.count - 2].payload
            #expect(end["delta"] == ["stop_reason": "end_turn", "stop_sequence": .null])
            #expect(end["usage"]["cache_read_input_tokens"] == 3)
            #expect(end["usage"]["output_tokens"].integer == Int64(ToyEngine.answer.utf8.count + 1))
            #expect(!answer.text.contains("[DONE]"))
        }
    }

    @Test(arguments: [true, false]) func `a stop sequence is named`(isStreamed: Bool) async throws {
        try await withGateway { client in
            let answer = try await client.post(
                "/v1/messages",
                "{\(Self.question), \"temperature\": 0, \"stream\": \(isStreamed), \"stop_sequences\": [\"never\", \" STOP\"]}"
            )
            let end = isStreamed ? try answer.namedEvents()[safe: -2]["delta"] : try answer.json()
            #expect(end["stop_reason"] == "stop_sequence")
            #expect(end["stop_sequence"] == " STOP")
        }
    }

    @Test func `limits are told apart: the client's and the context's`() async throws {
        try await withGateway(ToyEngine(contextLength: 20)) { client in
            let body = #"{"model": "toy", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": "#
            #expect(try await client.post("/v1/messages", body + "3}").json()["stop_reason"] == "max_tokens")
            let json = try await client.post("/v1/messages", body + "4000}").json()
            #expect(json["stop_reason"] == "model_context_window_exceeded")
            #expect(json["usage"]["output_tokens"] == 15)
        }
    }

    @Test func `tokens are counted without an answer`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.post(
                "/v1/messages/count_tokens", #"{"model": "toy", "messages": [{"role": "user", "content": "Hi"}]}"#)
            #expect(try answer.json() == ["input_tokens": 5])
        }
        #expect(engine.record.requests.isEmpty)
    }

    @Test func `pings keep a stream alive while nothing happens`() async throws {
        var configuration = GatewayConfiguration()
        configuration.keepAliveMilliseconds = 20
        try await withGateway(ToyEngine(prefillDelay: .milliseconds(400)), configuration: configuration) { client in
            let events = try await client.post("/v1/messages", "{\(Self.question), \"stream\": true}").namedEvents()
            #expect(events.filter { $0.name == "ping" }.count > 1)
        }
    }

    @Test func `errors have Anthropic's shape`() async throws {
        try await withGateway { client in
            let cases: [(answer: GatewayClient.Answer, code: Int, type: String)] = [
                (try await client.post("/v1/messages", "{}"), 400, "invalid_request_error"),
                (try await client.post("/v1/messages", "{"), 400, "invalid_request_error"),
                (
                    try await client.post("/v1/messages", Self.body(#""model": "claude""#)), 404,
                    "not_found_error"
                ),
                (try await client.get("/v1/messages"), 405, "invalid_request_error"),
                (try await client.post("/v1/messages/batches", "{}"), 404, "not_found_error"),
            ]
            for (answer, code, type) in cases {
                #expect(answer.code == code, "\(answer.text)")
                let json = try answer.json()
                #expect(json["type"] == "error")
                #expect(json["error"]["type"].text == type)
                #expect(json["error"]["message"].text?.isEmpty == false)
                #expect(json["request_id"].text == answer.headers.first(name: "request-id"))
            }
        }
        let late = EngineError(code: .unavailable, message: "late")
        try await withGateway(ToyEngine(breakdown: (3, late))) { client in
            let last = try await client.post("/v1/messages", "{\(Self.question), \"stream\": true}").namedEvents().last
            #expect(last?.name == "error")
            #expect(last?.payload["error"] == ["type": "overloaded_error", "message": "late"])
        }
    }

    /// A whole request with some members put in place of the usual ones.
    private static func body(_ members: String) -> String {
        let usual = [
            ("model", #""toy""#), ("max_tokens", "9"), ("messages", #"[{"role": "user", "content": "x"}]"#),
        ]
        let others = usual.filter { !members.contains("\"\($0.0)\":") }.map { "\"\($0.0)\": \($0.1)" }
        return "{" + (others + [members]).joined(separator: ", ") + "}"
    }

    @Test(
        arguments: [
            (#""model": 1"#, "model"), (#""max_tokens": 0"#, "max_tokens"), (#""messages": []"#, "messages"),
            (#""messages": [{"role": "user"}]"#, "messages.0.content"),
            (#""messages": [{"role": "tool", "content": "x"}]"#, "messages.0.role"),
            (#""messages": [{"role": "assistant", "content": "x"}]"#, "last message"),
            (#""messages": [{"role": "user", "content": [{"type": "image"}]}]"#, "image"),
            (#""system": 1"#, "system"), (#""temperature": 1.5"#, "temperature"), (#""top_p": 0"#, "top_p"),
            (#""top_k": -1"#, "top_k"), (#""stop_sequences": "x""#, "stop_sequences"), (#""stream": 1"#, "stream"),
            (#""stop_sequences": [""]"#, "stop"), (#""tools": [{"name": "f"}]"#, "tools"),
            (#""tool_choice": {"type": "any"}"#, "tool_choice"),
            (#""thinking": {"type": "enabled", "budget_tokens": 1024}"#, "thinking"),
            (#""container": "c""#, "container"), (#""service_tier": "fast""#, "service_tier"),
            (#""metadata": {"user_id": 1}"#, "user_id"), (#""output_config": {"effort": "low"}"#, "output_config"),
            (#""inference_geo": "eu""#, "inference_geo"), (#""speed": "fast""#, "speed"),
        ])
    func `a wrong parameter is refused by name`(members: String, name: String) async throws {
        try await withGateway { client in
            let answer = try await client.post("/v1/messages", Self.body(members))
            #expect(answer.code == 400, "\(answer.text)")
            #expect(try answer.json()["error"]["message"].text?.contains(name) == true, "\(answer.text)")
        }
    }

    @Test(arguments: [("2023-01-01", 400), ("latest", 400), ("2023-06-01", 200), ("2026-10-21", 200)])
    func `the API's first version is refused`(version: String, code: Int) async throws {
        try await withGateway { client in
            var request = client.request(.POST, "/v1/messages", Self.body(#""stream": false"#))
            request.headers.add(name: "anthropic-version", value: version)
            let answer = try await client.send(request)
            #expect(answer.code == code, "\(answer.text)")
        }
    }
}

extension [(name: String, payload: JSONValue)] {
    /// The payload of the event that is so many from the end; null when there are too few.
    fileprivate subscript(safe offset: Int) -> JSONValue {
        count + offset >= 0 ? self[count + offset].payload : .null
    }
}
