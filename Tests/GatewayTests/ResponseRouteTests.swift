import AsyncHTTPClient
import Inference
import NIOHTTP1
import Testing

@testable import Gateway

struct ResponseRouteTests {
    @Test func `a response has OpenAI's shape and is stored`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.post(
                "/v1/responses",
                """
                {"model": "toy", "input": "Hi", "instructions": "S", "temperature": 0, "top_p": 0.5,
                 "max_output_tokens": 100, "metadata": {"a": "b"}, "user": "u", "safety_identifier": "i",
                 "prompt_cache_key": "k", "tools": [], "text": {"format": {"type": "text"}}, "include": []}
                """)
            #expect(answer.code == 200, "\(answer.text)")
            let json = try answer.json()
            #expect(json["object"] == "response")
            #expect(json["status"] == "completed")
            #expect(json["incomplete_details"] == .null)
            #expect(json["instructions"] == "S")
            #expect(json["metadata"] == ["a": "b"])
            #expect(json["user"] == "u" && json["safety_identifier"] == "i" && json["prompt_cache_key"] == "k")
            #expect(json["top_p"] == .double(0.5))
            #expect(json["max_output_tokens"] == 100)
            #expect(json["output"].elements.count == 1)
            let message = json["output"][0]
            #expect(message["type"] == "message" && message["role"] == "assistant")
            #expect(message["status"] == "completed")
            #expect(message["content"][0]["type"] == "output_text")
            #expect(message["content"][0]["text"].text == ToyEngine.answer)
            #expect(json["usage"]["input_tokens"] == 8)
            #expect(json["usage"]["input_tokens_details"]["cached_tokens"] == 3)
            #expect(json["usage"]["output_tokens"].integer == Int64(ToyEngine.answer.utf8.count + 1))
            let id = try #require(json["id"].text)
            #expect(id.hasPrefix("resp_"))
            #expect(try await client.get("/v1/responses/\(id)").json() == json)
            #expect(try await client.get("/v1/responses/\(id)?stream=true").code == 400)
        }
        #expect(engine.record.requests.first?.maxTokens == 100)
        #expect(engine.record.requests.first?.sampling.topP == 0.5)
    }

    @Test func `a streamed response tells the documented events in order, numbered`() async throws {
        try await withGateway { client in
            let body = #""input": [{"role": "user", "content": "Hi"}], "temperature": 0, "stream": true"#
            let answer = try await client.post("/v1/responses", "{\(body)}")
            #expect(answer.headers.first(name: "content-type")?.hasPrefix("text/event-stream") == true)
            let events = try answer.namedEvents()
            let deltas = events.filter { $0.name == "response.output_text.delta" }
            #expect(
                events.map(\.name) == [
                    "response.created", "response.in_progress", "response.output_item.added",
                    "response.content_part.added",
                ] + deltas.map(\.name) + [
                    "response.output_text.done", "response.content_part.done", "response.output_item.done",
                    "response.completed",
                ])
            #expect(events.allSatisfy { $0.payload["type"].text == $0.name })
            #expect(events.map(\.payload["sequence_number"]) == events.indices.map { JSONValue($0) })
            #expect(deltas.count > 3)
            #expect(deltas.compactMap { $0.payload["delta"].text }.joined() == ToyEngine.answer)
            #expect(events[events.count - 4].payload["text"].text == ToyEngine.answer)
            #expect(events[0].payload["response"]["status"] == "in_progress")
            #expect(events[2].payload["item"]["content"] == [])
            let response = try #require(events.last).payload["response"]
            #expect(response["output"][0]["content"][0]["text"].text == ToyEngine.answer)
            let item = response["output"][0]["id"]
            #expect(deltas.allSatisfy { $0.payload["item_id"] == item && $0.payload["output_index"] == 0 })
            let id = try #require(response["id"].text)
            #expect(try await client.get("/v1/responses/\(id)").json() == response)
            #expect(!answer.text.contains("[DONE]"))
        }
    }

    @Test func `a response goes on from another one, whose instructions do not carry over`() async throws {
        let engine = ToyEngine { _, _ in ToyTokenizer.bytes("ok") }
        try await withGateway(engine) { client in
            let first = try await client.post("/v1/responses", #"{"input": "a", "instructions": "S"}"#).json()
            let id = try #require(first["id"].text)
            let second = try await client.post(
                "/v1/responses",
                #"{"input": [{"role": "user", "content": [{"type": "input_text", "text": "b"}]}], "previous_response_id": "\#(id)", "instructions": "T"}"#
            ).json()
            #expect(second["previous_response_id"].text == id)
            let secondID = try #require(second["id"].text)
            let deletion = try await client.send(client.request(.DELETE, "/v1/responses/\(id)"))
            #expect(try deletion.json() == ["id": .string(id), "object": "response", "deleted": true])
            #expect(try await client.get("/v1/responses/\(id)").code == 404)
            // The second one holds the whole conversation.
            let third = try await client.post(
                "/v1/responses", #"{"input": "c", "previous_response_id": "\#(secondID)"}"#)
            #expect(third.code == 200)
            let gone = try await client.post("/v1/responses", #"{"input": "c", "previous_response_id": "\#(id)"}"#)
            #expect(gone.code == 400)
            #expect(try gone.json()["error"]["code"] == "previous_response_not_found")
            #expect(try gone.json()["error"]["param"] == "previous_response_id")
            #expect(try await client.send(client.request(.DELETE, "/v1/responses/\(id)")).code == 404)
        }
        let said = engine.record.requests.map { $0.prompt.map { $0 < 256 ? String(UnicodeScalar(UInt8($0))) : "|" } }
        #expect(said.map { $0.joined() } == ["|S||a||", "|T||a||ok||b||", "|a||ok||b||ok||c||"])
    }

    @Test func `what is not to be stored is not`() async throws {
        try await withGateway { client in
            let json = try await client.post("/v1/responses", #"{"input": "a", "store": false}"#).json()
            #expect(json["store"] == false)
            #expect(try await client.get("/v1/responses/\(json["id"].text ?? "")").code == 404)
        }
    }

    @Test func `a limit makes a response incomplete`() async throws {
        try await withGateway { client in
            let body = #""input": "a", "temperature": 0, "max_output_tokens": 2"#
            let json = try await client.post("/v1/responses", "{\(body)}").json()
            #expect(json["status"] == "incomplete")
            #expect(json["incomplete_details"] == ["reason": "max_output_tokens"])
            let events = try await client.post("/v1/responses", "{\(body), \"stream\": true}").namedEvents()
            #expect(events.last?.name == "response.incomplete")
        }
    }

    @Test func `log-probabilities come when they are asked for`() async throws {
        try await withGateway { client in
            let body = """
                {"input": "a", "temperature": 0, "max_output_tokens": 2, "top_logprobs": 2,
                 "include": ["message.output_text.logprobs"]}
                """
            let logprobs = try await client.post("/v1/responses", body).json()["output"][0]["content"][0]["logprobs"]
            #expect(logprobs.elements.count == 2)
            #expect(logprobs[0]["token"] == "G")
            #expect(logprobs[0]["top_logprobs"].elements.count == 2)
        }
    }

    @Test func `truncation drops the oldest messages only when it must and may`() async throws {
        let engine = ToyEngine(contextLength: 40)
        try await withGateway(engine) { client in
            let input = (0..<9).map { #"{"role": "user", "content": "12345\#($0)"}"# }.joined(separator: ",")
            let refused = try await client.post("/v1/responses", #"{"input": [\#(input)]}"#)
            #expect(refused.code == 400)
            #expect(try refused.json()["error"]["code"] == "context_length_exceeded")
            let answer = try await client.post("/v1/responses", #"{"input": [\#(input)], "truncation": "auto"}"#)
            #expect(answer.code == 200, "\(answer.text)")
            let short = try await client.post("/v1/responses", #"{"input": "x", "truncation": "auto"}"#)
            #expect(short.code == 200)
        }
        let special = ToyTokenizer.special
        let kept = (5..<9).flatMap { number in
            [special("<|user|>")] + ToyTokenizer.bytes("12345\(number)") + [ToyTokenizer.end]
        }
        #expect(engine.record.requests.first?.prompt == kept + [special("<|assistant|>")])
        #expect(engine.record.requests.last?.prompt.count == 4)
    }

    @Test func `a failure in the middle is told as one`() async throws {
        let error = EngineError(code: .unavailable, message: "too few workers are left")
        try await withGateway(ToyEngine(breakdown: (4, error))) { client in
            let events = try await client.post("/v1/responses", #"{"input": "a", "stream": true}"#).namedEvents()
            let last = try #require(events.last)
            #expect(last.name == "response.failed")
            #expect(last.payload["response"]["error"]["message"] == "too few workers are left")
            let id = last.payload["response"]["id"].text ?? ""
            #expect(try await client.get("/v1/responses/\(id)").code == 404)
        }
    }

    @Test(
        arguments: [
            (#""model": "toy""#, "input"), (#""input": 1"#, "input"), (#""input": []"#, "input"),
            (#""input": ["x"]"#, "input[0]"), (#""input": [{"content": "x"}]"#, "input[0].role"),
            (#""input": [{"type": "item_reference", "id": "x"}]"#, "input[0].type"),
            (#""input": [{"role": "tool", "content": "x"}]"#, "input[0].role"),
            (
                #""input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]"#,
                "input[0].content[0].type"
            ),
            (#""input": "x", "instructions": 1"#, "instructions"), (#""input": "x", "store": 1"#, "store"),
            (#""input": "x", "max_output_tokens": 0"#, "max_output_tokens"),
            (#""input": "x", "truncation": "middle""#, "truncation"),
            (#""input": "x", "temperature": 3"#, "temperature"),
            (#""input": "x", "top_logprobs": 21"#, "top_logprobs"), (#""input": "x", "include": ["x"]"#, "include"),
            (#""input": "x", "metadata": {"a": 1}"#, "metadata"), (#""input": "x", "background": true"#, "background"),
            (#""input": "x", "conversation": "c""#, "conversation"),
            (#""input": "x", "prompt": {"id": "p"}"#, "prompt"),
            (#""input": "x", "reasoning": {"effort": "low"}"#, "reasoning"),
            (#""input": "x", "text": {"format": {"type": "yaml"}}"#, "text.format.type"),
            (#""input": "x", "text": {"verbosity": "low"}"#, "verbosity"),
            (#""input": "x", "tools": [{"type": "web_search"}]"#, "tools[0].type"),
            (#""input": "x", "service_tier": "flex""#, "service_tier"), (#""input": "x", "n": 2"#, "n"),
            (#""input": "x", "context_management": [{"type": "compaction"}]"#, "context_management"),
            (#""input": "x", "moderation": {}"#, "moderation"),
            (#""input": "x", "max_tool_calls": 0"#, "max_tool_calls"),
            (#""input": "x", "previous_response_id": 1"#, "previous_response_id"),
        ])
    func `a wrong parameter is refused by name`(members: String, parameter: String) async throws {
        try await withGateway { client in
            let answer = try await client.post("/v1/responses", "{\(members)}")
            #expect(answer.code == 400, "\(answer.text)")
            #expect(try answer.json()["error"]["param"].text == parameter, "\(answer.text)")
        }
    }
}
