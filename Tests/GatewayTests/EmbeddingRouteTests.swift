import Foundation
import Inference
import Testing

@testable import Gateway

/// The toy engine's embedding is the number of tokens, their mean and the first of them.
struct EmbeddingRouteTests {
    private static func expected(_ tokens: [Int]) -> [Float] {
        let mean = [Float(tokens.count), Float(tokens.reduce(0, +)) / Float(tokens.count), Float(tokens[0])]
        let length = mean.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return mean.map { Float(Double($0) / length) }
    }

    private static func numbers(_ value: JSONValue) -> [Float] {
        value.elements.compactMap { $0.number.map { Float($0) } }
    }

    @Test func `a text, several texts and token ids get embeddings of length one, in order`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let one = try await client.post("/v1/embeddings", #"{"model": "toy", "input": "Hi", "user": "u"}"#).json()
            #expect(one["object"] == "list" && one["model"] == "toy")
            #expect(one["data"][0]["object"] == "embedding" && one["data"][0]["index"] == 0)
            #expect(Self.numbers(one["data"][0]["embedding"]) == Self.expected([72, 105]))
            #expect(one["usage"] == ["prompt_tokens": 2, "total_tokens": 2])
            let texts = try await client.post("/v1/embeddings", #"{"input": ["a", "bcd"], "dimensions": 3}"#).json()
            #expect(
                texts["data"].elements.map { Self.numbers($0["embedding"]) }
                    == [[97], [98, 99, 100]].map(Self.expected))
            #expect(texts["data"].elements.map { $0["index"] } == [0, 1] && texts["usage"]["total_tokens"] == 4)
            let ids = try await client.post("/v1/embeddings", #"{"input": [[5, 6], [9]]}"#).json()
            #expect(ids["data"].elements.map { Self.numbers($0["embedding"]) } == [[5, 6], [9]].map(Self.expected))
            let requests = engine.record.requests
            #expect(requests.allSatisfy { $0.wantsEmbedding && $0.maxTokens == 0 && $0.promptLogprobCount == nil })
            #expect(requests[0].client == "user u")
        }
    }

    @Test func `base64 holds the same numbers`() async throws {
        try await withGateway { client in
            let json = try await client.post("/v1/embeddings", #"{"input": "Hi", "encoding_format": "base64"}"#).json()
            let bytes = try #require(Data(base64Encoded: json["data"][0]["embedding"].text ?? ""))
            let numbers = stride(from: 0, to: bytes.count, by: 4).map { start in
                Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) })
            }
            #expect(numbers == Self.expected([72, 105]))
        }
    }

    @Test func `Ollama's routes answer in its shapes, and cut what is too long unless told otherwise`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let two = try await client.post("/api/embed", #"{"model": "toy:latest", "input": ["Hi", "x"]}"#).json()
            #expect(two["embeddings"].elements.map(Self.numbers) == [[72, 105], [120]].map(Self.expected))
            #expect(two["prompt_eval_count"] == 3 && two["total_duration"].integer ?? 0 > 0)
            let one = try await client.post("/api/embeddings", #"{"model": "toy", "prompt": "Hi"}"#).json()
            #expect(Self.numbers(one["embedding"]) == Self.expected([72, 105]))
            let long = String(repeating: "a", count: engine.contextLength + 5)
            let cut = try await client.post("/api/embed", "{\"model\": \"toy\", \"input\": \"\(long)\"}").json()
            #expect(cut["prompt_eval_count"].integer == Int64(engine.contextLength))
            let kept = try await client.post(
                "/api/embed", "{\"model\": \"toy\", \"input\": \"\(long)\", \"truncate\": false}")
            #expect(kept.code == 400)
        }
    }

    @Test func `numbers that are none are an error, and zeros stay zeros`() throws {
        #expect(throws: EngineError.self) { try EmbeddingShape.normalized([1, .nan]) }
        #expect(throws: EngineError.self) { try EmbeddingShape.normalized([]) }
        #expect(try EmbeddingShape.normalized([0, 0]) == [0, 0])
    }

    @Test(arguments: [
        ("/v1/embeddings", "{}", "input"), ("/v1/embeddings", #"{"input": ""}"#, "input"),
        ("/v1/embeddings", #"{"input": ["a", ""]}"#, "input"), ("/v1/embeddings", #"{"input": []}"#, "input"),
        ("/v1/embeddings", #"{"input": [["a"]]}"#, "input"), ("/v1/embeddings", #"{"input": [99999]}"#, "input"),
        ("/v1/embeddings", #"{"input": ["a", 5]}"#, "input"), ("/v1/embeddings", #"{"input": {}}"#, "input"),
        ("/v1/embeddings", #"{"input": "x", "dimensions": 2}"#, "dimensions"),
        ("/v1/embeddings", #"{"input": "x", "dimensions": 0}"#, "dimensions"),
        ("/v1/embeddings", #"{"input": "x", "encoding_format": "int8"}"#, "encoding_format"),
        ("/v1/embeddings", #"{"input": "x", "user": 1}"#, "user"),
        ("/v1/embeddings", #"{"input": "x", "truncate_prompt_tokens": 5}"#, "truncate_prompt_tokens"),
    ])
    func `what cannot be is refused by name`(path: String, body: String, parameter: String) async throws {
        try await withGateway { client in
            let answer = try await client.post(path, body)
            #expect(try answer.code == 400 && answer.json()["error"]["param"].text == parameter)
        }
    }

    @Test(arguments: [
        ("/api/embed", "{}"), ("/api/embed", #"{"model": "toy"}"#), ("/api/embed", #"{"model": "toy", "input": [1]}"#),
        ("/api/embed", #"{"model": "toy", "input": "x", "dimensions": 2}"#),
        ("/api/embeddings", #"{"model": "toy"}"#), ("/api/embeddings", #"{"model": "toy", "prompt": 1}"#),
    ])
    func `Ollama's clients are refused in its words`(path: String, body: String) async throws {
        try await withGateway { client in
            let answer = try await client.post(path, body)
            #expect(try answer.code == 400 && answer.json()["error"].text != nil)
        }
    }

    @Test func `a text that the context is too small for is refused with the numbers`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let long = String(repeating: "a", count: engine.contextLength + 1)
            let answer = try await client.post("/v1/embeddings", "{\"input\": \"\(long)\"}")
            #expect(try answer.code == 400 && answer.json()["error"]["code"] == "context_length_exceeded")
            let fits = String(repeating: "a", count: engine.contextLength)
            #expect(try await client.post("/v1/embeddings", "{\"input\": \"\(fits)\"}").code == 200)
        }
    }
}
