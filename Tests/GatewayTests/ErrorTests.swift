import AsyncHTTPClient
import Inference
import NIOCore
import NIOHTTP1
import Testing

@testable import Gateway

struct ErrorTests {
    private static let chat = #""messages": [{"role": "user", "content": "x"}]"#

    /// Whether the answer is OpenAI's error object with this status, code and parameter.
    private func expect(
        _ answer: GatewayClient.Answer, status: Int, code: JSONValue = .null, parameter: String? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(answer.code == status, "\(answer.text)", sourceLocation: location)
        let error = try answer.json()["error"]
        #expect(error["message"].text?.isEmpty == false, "\(answer.text)", sourceLocation: location)
        #expect(error["type"].text?.isEmpty == false, sourceLocation: location)
        #expect(error["code"] == code, sourceLocation: location)
        #expect(error["param"].text == parameter, "\(answer.text)", sourceLocation: location)
    }

    @Test func `unknown routes, methods, types and sizes get their codes`() async throws {
        var configuration = GatewayConfiguration()
        configuration.maxBodyByteCount = 1000
        try await withGateway(configuration: configuration) { client in
            try expect(try await client.get("/v1/nothing"), status: 404, code: "unknown_url")
            let wrongMethod = try await client.get("/v1/completions")
            try expect(wrongMethod, status: 405, code: "method_not_supported")
            #expect(wrongMethod.headers.first(name: "allow") == "POST")
            try expect(try await client.post("/v1/models", "{}"), status: 405, code: "method_not_supported")
            var untyped = client.request(.POST, "/v1/completions", #"{"prompt": "x"}"#)
            untyped.headers.replaceOrAdd(name: "content-type", value: "text/plain")
            try expect(try await client.send(untyped), status: 415, code: "unsupported_media_type")
            let large = "{\"prompt\": \"" + String(repeating: "x", count: 2000) + "\"}"
            try expect(try await client.complete(large), status: 413, code: "request_too_large")
            var chunked = client.request(.POST, "/v1/completions", "")
            chunked.body = .stream([large].asChunks, length: .unknown)
            try expect(try await client.send(chunked), status: 413, code: "request_too_large")
        }
    }

    @Test func `another model is not found`() async throws {
        try await withGateway { client in
            let answer = try await client.chat("{\"model\": \"gpt-4\", \(Self.chat)}")
            try expect(answer, status: 404, code: "model_not_found", parameter: "model")
            try expect(
                try await client.get("/v1/models/gpt-4"), status: 404, code: "model_not_found", parameter: "model")
            #expect(try await client.chat("{\"model\": \"\", \(Self.chat)}").code == 200)
        }
    }

    @Test(
        arguments: [
            ("[]", nil), ("1", nil), ("{\"prompt\": \"x\"", nil), ("", nil), ("{}", "prompt"),
            (#"{"prompt": 1}"#, "prompt"),
            (#"{"prompt": []}"#, "prompt"), (#"{"prompt": ""}"#, "prompt"), (#"{"prompt": ["a", 1]}"#, "prompt"),
            (#"{"prompt": [1, -1]}"#, "prompt"), (#"{"prompt": [1.5]}"#, "prompt"),
            (#"{"prompt": [[1], "a"]}"#, "prompt"),
            (#"{"prompt": [1e300]}"#, "prompt"), (#"{"prompt": [100000]}"#, "prompt"), (#"{"prompt": [[]]}"#, "prompt"),
            (#"{"prompt": [true]}"#, "prompt"), (#"{"prompt": [99999999999999999999]}"#, "prompt"),
            (#"{"prompt": "x", "max_tokens": -1}"#, "max_tokens"),
            (#"{"prompt": "x", "max_tokens": "1"}"#, "max_tokens"),
            (#"{"prompt": "x", "max_tokens": 1.5}"#, "max_tokens"),
            (#"{"prompt": "x", "max_tokens": 1e300}"#, "max_tokens"),
            (#"{"prompt": "x", "temperature": 2.1}"#, "temperature"),
            (#"{"prompt": "x", "temperature": "hot"}"#, "temperature"),
            (#"{"prompt": "x", "temperature": true}"#, "temperature"), (#"{"prompt": "x", "top_p": 0}"#, "top_p"),
            (#"{"prompt": "x", "top_p": 1.1}"#, "top_p"), (#"{"prompt": "x", "n": 0}"#, "n"),
            (#"{"prompt": "x", "n": 129}"#, "n"),
            (#"{"prompt": "x", "best_of": 2}"#, "best_of"), (#"{"prompt": "x", "logprobs": 21}"#, "logprobs"),
            (#"{"prompt": "x", "logprobs": true}"#, "logprobs"), (#"{"prompt": "x", "echo": 1}"#, "echo"),
            (#"{"prompt": "x", "stop": ["a", "b", "c", "d", "e"]}"#, "stop"), (#"{"prompt": "x", "stop": ""}"#, "stop"),
            (#"{"prompt": "x", "stop": [1]}"#, "stop"), (#"{"prompt": "x", "stop": {}}"#, "stop"),
            (#"{"prompt": "x", "seed": 1.5}"#, "seed"), (#"{"prompt": "x", "seed": "1"}"#, "seed"),
            (#"{"prompt": "x", "seed": 1e300}"#, "seed"), (#"{"prompt": "x", "logit_bias": {"a": 1}}"#, "logit_bias"),
            (#"{"prompt": "x", "logit_bias": {"1": 101}}"#, "logit_bias"),
            (#"{"prompt": "x", "logit_bias": [1]}"#, "logit_bias"),
            (#"{"prompt": "x", "logit_bias": {"1": 0, "01": 0}}"#, "logit_bias"),
            (#"{"prompt": "x", "suffix": "y"}"#, "suffix"), (#"{"prompt": "x", "model": 3}"#, "model"),
            (#"{"prompt": "x", "stream": "yes"}"#, "stream"),
            (#"{"prompt": "x", "stream_options": {}}"#, "stream_options"),
            (#"{"prompt": "x", "top_k": -2}"#, "top_k"), (#"{"prompt": "x", "min_p": 2}"#, "min_p"),
            (#"{"prompt": "x", "presence_penalty": -2.5}"#, "presence_penalty"),
            (#"{"prompt": "x", "repetition_penalty": 0}"#, "repetition_penalty"),
            (#"{"prompt": "x", "stop_token_ids": [-1]}"#, "stop_token_ids"),
            (#"{"prompt": "x", "min_tokens": 5}"#, "min_tokens"), (#"{"prompt": "x", "user": 5}"#, "user"),
            (#"{"prompt": "x", "priority": 2147483648}"#, "priority"),
            (#"{"prompt": "x", "cache_salt": ""}"#, "cache_salt"),
            (#"{"prompt": "x", "cache_salt": "a\u0000b"}"#, "cache_salt"),
        ] as [(String, String?)])
    func `a wrong completion parameter is refused by name`(body: String, parameter: String?) async throws {
        try await withGateway { client in
            try expect(try await client.complete(body), status: 400, parameter: parameter)
        }
    }

    @Test(
        arguments: [
            (#""messages": 1"#, "messages"), (#""messages": []"#, "messages"), (#""model": "toy""#, "messages"),
            (#""messages": ["x"]"#, "messages[0]"), (#""messages": [{"content": "x"}]"#, "messages[0].role"),
            (#""messages": [{"role": "function", "content": "x"}]"#, "messages[0].role"),
            (#""messages": [{"role": "tool", "content": "x"}]"#, "messages[0].tool_call_id"),
            (#""messages": [{"role": "assistant", "tool_calls": [{}]}]"#, "messages[0].tool_calls[0]"),
            (
                #""messages": [{"role": "assistant", "tool_calls": [{"type": "function", "function": "#
                    + #"{"name": "f", "arguments": "[]"}}]}]"#,
                "messages[0].tool_calls[0].function.arguments"
            ),
            (#""messages": [{"role": "user"}]"#, "messages[0].content"),
            (#""messages": [{"role": "user", "content": 3}]"#, "messages[0].content"),
            (
                #""messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]"#,
                "messages[0].content[0].type"
            ),
            (#""messages": [{"role": "user", "content": [{"type": "text"}]}]"#, "messages[0].content[0].text"),
            (chat + #", "max_tokens": 0"#, "max_tokens"),
            (chat + #", "max_tokens": 1, "max_completion_tokens": 2"#, "max_tokens"),
            (chat + #", "logprobs": 1"#, "logprobs"), (chat + #", "top_logprobs": 2"#, "top_logprobs"),
            (chat + #", "logprobs": true, "top_logprobs": 21"#, "top_logprobs"), (chat + #", "echo": true"#, "echo"),
            (chat + #", "tools": [{"type": "function"}]"#, "tools[0]"),
            (chat + #", "tools": [{"type": "function", "function": {"name": "a b"}}]"#, "tools[0].function.name"),
            (chat + #", "tool_choice": "required""#, "tool_choice"),
            (
                chat + #", "tool_choice": {"type": "function", "function": {"name": "g"}}, "#
                    + #""tools": [{"type": "function", "function": {"name": "f"}}]"#, "tool_choice"
            ),
            (
                chat + #", "tools": [{"type": "function", "function": {"name": "f", "parameters": {"not": {}}}}]"#,
                "tools"
            ),
            (
                chat + #", "tools": [{"type": "function", "function": {"name": "f"}}], "grammar": "root ::= \"a\"""#,
                "grammar"
            ),
            (chat + #", "response_format": {"type": "yaml"}"#, "response_format.type"),
            (chat + #", "response_format": {"type": "json_schema"}"#, "response_format.json_schema"),
            (
                chat + #", "response_format": {"type": "json_schema", "json_schema": {"schema": {}}}"#,
                "response_format.json_schema.name"
            ),
            (
                chat + #", "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": "#
                    + #"{"type": "object", "propertyNames": {}}}}"#, "response_format.json_schema.schema"
            ),
            (chat + #", "grammar": "root ::= [""#, "grammar"), (chat + #", "guided_regex": "(?=a)""#, "guided_regex"),
            (chat + #", "guided_json": "{""#, "guided_json"), (chat + #", "guided_choice": []"#, "guided_choice"),
            (chat + #", "guided_json": {}, "grammar": "root ::= \"a\"""#, "grammar"),
            (chat + #", "structured_outputs": {"xml": {}}"#, "structured_outputs.xml"),
            (chat + #", "structured_outputs": {"grammar": "root ::= root"}"#, "structured_outputs.grammar"),
            (chat + #", "modalities": ["text", "audio"]"#, "modalities"), (chat + #", "audio": {}"#, "audio"),
        ])
    func `a wrong chat parameter is refused by name`(members: String, parameter: String) async throws {
        try await withGateway { client in
            try expect(try await client.chat("{\(members)}"), status: 400, parameter: parameter)
        }
    }

    @Test func `a context that overflows is refused with the numbers`() async throws {
        let engine = ToyEngine(contextLength: 20)
        try await withGateway(engine) { client in
            for body in [#"{"prompt": "12345", "max_tokens": 16}"#, #"{"prompt": "12345678901234567890"}"#] {
                let answer = try await client.complete(body)
                try expect(answer, status: 400, code: "context_length_exceeded", parameter: "prompt")
                #expect(answer.text.contains("maximum context length is 20 tokens"))
            }
            #expect(try await client.complete(#"{"prompt": "12345", "max_tokens": 15}"#).code == 200)
            let whole = #"{"prompt": "12345678901234567890", "max_tokens": 0, "echo": true}"#
            #expect(try await client.complete(whole).code == 200)
            let chat = try await client.chat("{\(Self.chat), \"max_tokens\": \(Int.max)}")
            try expect(chat, status: 400, code: "context_length_exceeded", parameter: "messages")
        }
        #expect(engine.record.requests.count == 2)
    }

    @Test(
        arguments: [
            (EngineError.Code.invalidRequest, 400, JSONValue.null), (.contextOverflow, 400, "context_length_exceeded"),
            (.overloaded, 429, "rate_limit_exceeded"), (.unavailable, 503, "service_unavailable"),
            (.deadlineExceeded, 504, "deadline_exceeded"), (.cancelled, 503, "service_unavailable"),
            (.internal, 500, "internal_error"), (.requestFailed, 500, "request_failed"),
        ])
    func `the engine's errors have their codes`(code: EngineError.Code, status: Int, name: JSONValue) async throws {
        let refusal = EngineError(code: code, message: "because", parameter: "prompt", retryAfterSeconds: 7)
        try await withGateway(ToyEngine(refusal: refusal)) { client in
            let answer = try await client.chat("{\(Self.chat)}")
            try expect(answer, status: status, code: name, parameter: "prompt")
            #expect(answer.headers.first(name: "retry-after") == "7")
            #expect(answer.headers.first(name: "x-should-retry") == (code == .requestFailed ? "false" : nil))
        }
        let late = ToyEngine(breakdown: (3, EngineError(code: code, message: "late", parameter: "prompt")))
        try await withGateway(late) { client in
            try expect(try await client.chat("{\(Self.chat)}"), status: status, code: name, parameter: "prompt")
        }
    }

    @Test func `damaged requests are never the server's fault`() async throws {
        let seed: UInt64 = 5_150
        let bodies = [
            (
                "/v1/chat/completions",
                #"{"model":"toy","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"é"}]}],"max_tokens":3,"temperature":0.5,"logprobs":true,"top_logprobs":2,"stop":["a","b"],"seed":7,"n":2,"logit_bias":{"5":1.5}}"#
            ),
            (
                "/v1/completions",
                #"{"prompt":["ab",""],"max_tokens":3,"echo":true,"logprobs":2,"stream":true,"stream_options":{"include_usage":true},"top_k":3,"stop_token_ids":[1]}"#
            ),
            (
                "/v1/completions",
                #"{"prompt":[[1,2],[3]],"max_tokens":2,"suffix":null,"best_of":1,"ignore_eos":true}"#
            ),
            (
                "/v1/responses",
                #"{"input":[{"role":"user","content":[{"type":"input_text","text":"é"}]},{"type":"message","role":"assistant","content":"b"}],"instructions":"S","max_output_tokens":3,"metadata":{"a":"b"},"truncation":"auto","store":true,"previous_response_id":null,"include":["message.output_text.logprobs"],"top_logprobs":2,"stream":true}"#
            ),
            (
                "/v1/messages",
                #"{"model":"toy","max_tokens":3,"system":[{"type":"text","text":"S"}],"messages":[{"role":"user","content":[{"type":"text","text":"é"}]}],"stop_sequences":["a"],"top_k":3,"temperature":0.5,"metadata":{"user_id":"u"},"stream":true}"#
            ),
            (
                "/v1/messages/count_tokens",
                #"{"model":"toy","system":"S","messages":[{"role":"user","content":"é"}]}"#
            ),
            (
                "/api/chat",
                #"{"model":"toy:latest","messages":[{"role":"user","content":"é"}],"options":{"num_predict":3,"temperature":0.5,"stop":["a"],"seed":7,"num_ctx":100},"keep_alive":"5m","logprobs":true,"top_logprobs":2}"#
            ),
            (
                "/api/generate",
                #"{"model":"toy","prompt":"é","system":"S","context":[1,2],"raw":false,"stream":false,"options":{"num_predict":3,"repeat_penalty":1.5}}"#
            ),
            ("/api/show", #"{"model":"toy","verbose":true}"#),
            ("/tokenize", #"{"content":"é<|end|>","add_special":true,"with_pieces":true,"parse_special":false}"#),
            ("/detokenize", #"{"model":"toy","tokens":[195,169,260]}"#),
        ]
        try await withGateway { client in
            var random = SeededRandom(seed: seed)
            for round in 0..<2200 {
                let (path, body) = bodies[round % bodies.count]
                var bytes = Array(body.utf8)
                for _ in 0..<Int.random(in: 1...4, using: &random) { random.mutate(&bytes) }
                var request = client.request(.POST, path, "")
                request.body = .bytes(bytes)
                let answer = try await client.send(request)
                #expect(
                    [200, 400, 404].contains(answer.code),
                    "seed \(seed), round \(round): \(answer.code) for \(String(decoding: bytes, as: UTF8.self))")
                guard answer.code != 200 else { continue }
                let error = try answer.json()["error"]
                #expect((error["message"].text ?? error.text)?.isEmpty == false, "seed \(seed), round \(round)")
            }
        }
    }
}

extension [String] {
    /// The strings as a body of chunks whose number is not announced.
    fileprivate var asChunks: AsyncStream<ByteBuffer> {
        AsyncStream { continuation in
            for text in self { continuation.yield(ByteBuffer(string: text)) }
            continuation.finish()
        }
    }
}
