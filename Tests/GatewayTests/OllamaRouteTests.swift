import AsyncHTTPClient
import Inference
import NIOHTTP1
import Testing

@testable import Gateway

struct OllamaRouteTests {
    private static let question = #""model": "toy", "messages": [{"role": "user", "content": "Hi"}]"#

    @Test func `a chat streams lines unless it is told not to`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.post("/api/chat", "{\(Self.question), \"options\": {\"temperature\": 0}}")
            #expect(answer.code == 200, "\(answer.text)")
            #expect(answer.headers.first(name: "content-type") == "application/x-ndjson")
            let lines = try answer.lines()
            #expect(lines.count > 3)
            #expect(lines.allSatisfy { $0["model"] == "toy" && $0["message"]["role"] == "assistant" })
            #expect(lines.compactMap { $0["message"]["content"].text }.joined() == ToyEngine.answer)
            #expect(lines.dropLast().allSatisfy { $0["done"] == false && $0["done_reason"] == .null })
            let last = try #require(lines.last)
            #expect(last["done"] == true)
            #expect(last["done_reason"] == "stop")
            #expect(last["prompt_eval_count"] == 5)
            #expect(last["eval_count"].integer == Int64(ToyEngine.answer.utf8.count + 1))
            for duration in ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"] {
                #expect(last[duration].integer ?? -1 >= 0, "\(duration)")
            }
            let whole = try await client.post(
                "/api/chat", "{\(Self.question), \"options\": {\"temperature\": 0}, \"stream\": false}")
            #expect(try whole.json()["message"]["content"].text == ToyEngine.answer)
            #expect(try whole.json()["done"] == true)
            #expect(try whole.json()["eval_count"] == last["eval_count"])
        }
    }

    @Test func `every option reaches the engine, and Ollama's defaults without options`() async throws {
        let engine = ToyEngine(contextLength: 1000)
        try await withGateway(engine) { client in
            let answer = try await client.post(
                "/api/chat",
                """
                {"model": "toy:latest", "messages": [{"role": "user", "content": "Hi"}], "keep_alive": "5m",
                 "think": false, "format": "", "logprobs": true, "top_logprobs": 2,
                 "options": {"num_predict": 7, "temperature": 0.5, "top_k": 3, "top_p": 0.25, "min_p": 0.125,
                             "seed": 9, "stop": ["x", "y"], "repeat_penalty": 1.5, "presence_penalty": 1,
                             "frequency_penalty": -1, "num_ctx": 10, "num_thread": 4, "mirostat": 0,
                             "repeat_last_n": -1}}
                """)
            #expect(answer.code == 200, "\(answer.text)")
            #expect(try answer.lines()[0]["logprobs"][0]["top_logprobs"].elements.count == 2)
            let plain = try await client.post(
                "/api/chat",
                "{\(Self.question), \"options\": {\"num_predict\": -1, \"repeat_penalty\": 1.5, \"repeat_last_n\": 0}}")
            #expect(plain.code == 200, "\(plain.text)")
        }
        let requests = engine.record.requests
        #expect(requests.map(\.maxTokens) == [5, 995])
        #expect(requests.map(\.seed) == [9, nil])
        #expect(
            requests.map(\.sampling) == [
                SamplingParameters(
                    temperature: 0.5, topK: 3, topP: 0.25, minP: 0.125, presencePenalty: 1, frequencyPenalty: -1,
                    repetitionPenalty: 1.5),
                SamplingParameters(temperature: 0.8, topK: 40, topP: 0.9),
            ])
    }

    @Test func `a generation goes on from its context`() async throws {
        let engine = ToyEngine { _, _ in ToyTokenizer.bytes("ok") }
        try await withGateway(engine) { client in
            let first = try await client.post(
                "/api/generate", #"{"model": "toy", "prompt": "a", "system": "S", "stream": false}"#
            ).json()
            #expect(first["response"] == "ok")
            let context = String(decoding: first["context"].encoded, as: UTF8.self)
            let second = try await client.post(
                "/api/generate", #"{"model": "toy", "prompt": "b", "context": \#(context)}"#)
            #expect(second.code == 200, "\(second.text)")
            #expect(try second.lines().compactMap { $0["response"].text }.joined() == "ok")
            let expected = first["context"].elements.count + 4 + 3
            #expect(try second.lines().last?["context"].elements.count == expected)
        }
        let special = ToyTokenizer.special
        let first =
            [special("<|system|>")] + ToyTokenizer.bytes("S") + [ToyTokenizer.end, special("<|user|>")]
            + ToyTokenizer.bytes("a") + [ToyTokenizer.end, special("<|assistant|>")]
        let second =
            first + ToyTokenizer.bytes("ok") + [ToyTokenizer.end, special("<|user|>")] + ToyTokenizer.bytes("b")
            + [ToyTokenizer.end, special("<|assistant|>")]
        #expect(engine.record.requests.map(\.prompt) == [first, second])
    }

    @Test func `a raw prompt goes to the model as it is`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.post(
                "/api/generate", #"{"model": "toy", "prompt": "<|user|>a", "raw": true}"#)
            #expect(answer.code == 200)
        }
        #expect(
            engine.record.requests.first?.prompt == [ToyTokenizer.special("<|user|>")] + ToyTokenizer.bytes("a"))
    }

    @Test func `a request for nothing finds the model loaded`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            for path in ["/api/chat", "/api/generate"] {
                let json = try await client.post(path, #"{"model": "toy"}"#).json()
                #expect(json["done_reason"] == "load" && json["done"] == true)
                let unload = try await client.post(path, #"{"model": "toy", "keep_alive": 0}"#)
                #expect(unload.code == 400)
            }
        }
        #expect(engine.record.requests.isEmpty)
    }

    @Test func `the model is listed, shown and running, and the server says who it is`() async throws {
        try await withGateway { client in
            let tags = try await client.get("/api/tags").json()
            #expect(tags["models"].elements.map(\.["name"]) == ["toy:latest"])
            #expect(try await client.get("/api/ps").json()["models"][0]["context_length"] == 4096)
            let details = try await client.post("/api/show", #"{"model": "toy:latest"}"#).json()
            #expect(details["capabilities"] == ["completion", "embedding"])
            #expect(details["model_info"]["general.parameter_count"] == 1000)
            #expect(try await client.get("/api/version").json()["version"].text?.isEmpty == false)
            let root = try await client.get("/")
            #expect(root.text == "Ollama is running")
            let head = try await client.send(client.request(.HEAD, "/"))
            #expect(head.code == 200 && head.bytes.isEmpty)
        }
    }

    @Test func `empty pieces keep a stream alive while nothing happens`() async throws {
        var configuration = GatewayConfiguration()
        configuration.keepAliveMilliseconds = 20
        try await withGateway(ToyEngine(prefillDelay: .milliseconds(400)), configuration: configuration) { client in
            let lines = try await client.post("/api/chat", "{\(Self.question)}").lines()
            #expect(lines[0]["message"]["content"] == "" && lines[0]["done"] == false)
        }
    }

    @Test func `errors are one string`() async throws {
        try await withGateway { client in
            let missing = try await client.post("/api/chat", #"{"model": "llama", "messages": []}"#)
            #expect(missing.code == 404)
            #expect(try missing.json()["error"].text?.isEmpty == false)
            #expect(try await client.get("/api/chat").json()["error"].text?.isEmpty == false)
            #expect(try await client.post("/api/pull", #"{"model": "x"}"#).code == 404)
        }
        let late = EngineError(code: .unavailable, message: "late")
        try await withGateway(ToyEngine(breakdown: (3, late))) { client in
            let last = try await client.post("/api/chat", "{\(Self.question)}").lines().last
            #expect(last == ["error": "late"])
        }
    }

    @Test(
        arguments: [
            (#""messages": [{"role": "user", "content": "x", "images": ["AAAA"]}]"#, "images"),
            (#""messages": [{"role": "tool", "content": "x"}]"#, "role"), (#""messages": 1"#, "messages"),
            (#""messages": [{"role": "user", "content": 1}]"#, "content"), (#""tools": [{}]"#, "tools"),
            (#""format": "yaml""#, "format"), (#""think": true"#, "think"), (#""options": 1"#, "options"),
            (#""options": {"temperature": "x"}"#, "temperature"), (#""options": {"num_predict": -3}"#, "num_predict"),
            (#""options": {"num_ctx": 0}"#, "num_ctx"), (#""options": {"mirostat": 2}"#, "mirostat"),
            (#""options": {"repeat_last_n": 64}"#, "repeat_last_n"), (#""options": {"tfs_z": 0.5}"#, "tfs_z"),
            (#""options": {"typical_p": 0.5}"#, "typical_p"), (#""options": {"stop": [1]}"#, "stop"),
            (#""options": {"seed": "x"}"#, "seed"), (#""keep_alive": true"#, "keep_alive"), (#""stream": 1"#, "stream"),
            (#""truncate": true"#, "truncate"), (#""top_logprobs": 21"#, "top_logprobs"),
            (#""logprobs": 1"#, "logprobs"),
        ])
    func `a wrong parameter is refused by name`(members: String, name: String) async throws {
        try await withGateway { client in
            let answer = try await client.post("/api/chat", "{\"model\": \"toy\", \(members)}")
            #expect(answer.code == 400, "\(answer.text)")
            #expect(try answer.json()["error"].text?.contains(name) == true, "\(answer.text)")
        }
    }

    @Test(
        arguments: [
            (#""prompt": 1"#, "prompt"), (#""prompt": "x", "template": "{{ .Prompt }}""#, "template"),
            (#""prompt": "x", "suffix": "y""#, "suffix"), (#""prompt": "x", "images": ["AAAA"]"#, "images"),
            (#""prompt": "x", "raw": true, "system": "S""#, "raw"), (#""prompt": "x", "context": [-1]"#, "context"),
            (#""prompt": "x", "context": [99999]"#, "99999"), (#""prompt": "x", "system": 1"#, "system"),
        ])
    func `a wrong parameter of a generation is refused by name`(members: String, name: String) async throws {
        try await withGateway { client in
            let answer = try await client.post("/api/generate", "{\"model\": \"toy\", \(members)}")
            #expect(answer.code == 400, "\(answer.text)")
            #expect(try answer.json()["error"].text?.contains(name) == true, "\(answer.text)")
        }
    }
}
