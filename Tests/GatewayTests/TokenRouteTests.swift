import Inference
import Testing

@testable import Gateway

struct TokenRouteTests {
    @Test func `text is tokenised as vLLM and llama.cpp ask for it`() async throws {
        try await withGateway { client in
            for name in ["prompt", "content"] {
                let json = try await client.post("/tokenize", "{\"\(name)\": \"Hi<|end|>\"}").json()
                #expect(json["tokens"] == [72, 105, .integer(Int64(ToyTokenizer.end))])
                #expect(json["count"] == 3)
                #expect(json["max_model_len"] == 4096)
            }
            let plain = try await client.post("/tokenize", #"{"content": "<|end|>", "parse_special": false}"#).json()
            #expect(plain["count"] == 7)
            let pieces = try await client.post(
                "/tokenize", #"{"content": "aé", "with_pieces": true, "return_token_strs": true}"#
            ).json()
            #expect(pieces["tokens"][0] == ["id": 97, "piece": "a"])
            #expect(pieces["tokens"][1] == ["id": 195, "piece": [195]])
            #expect(pieces["token_strs"] == ["a", #"bytes:\xc3"#, #"bytes:\xa9"#])
        }
    }

    @Test func `a conversation is tokenised with its template`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let messages = #""messages": [{"role": "user", "content": "Hi"}]"#
            let tokens = try await client.post("/tokenize", "{\"model\": \"toy\", \(messages)}").json()["tokens"]
            _ = try await client.chat("{\(messages)}")
            #expect(tokens.elements.map(\.integer) == engine.record.requests[0].prompt.map { Int64($0) })
        }
    }

    @Test func `tokens become text again, names of special tokens included`() async throws {
        try await withGateway { client in
            let json = try await client.post("/detokenize", "{\"tokens\": [72, 195, 169, \(ToyTokenizer.end)]}").json()
            #expect(json == ["prompt": "Hé<|end|>", "content": "Hé<|end|>"])
            #expect(try await client.post("/detokenize", #"{"tokens": []}"#).json()["content"] == "")
        }
    }

    @Test func `the tokens at both ends of a text have names`() async throws {
        try await withGateway { client in
            let json = try await client.get("/tokenizer_info").json()
            #expect(json["eos_token"] == "<|end|>")
            #expect(json["bos_token"] == .null)
        }
    }

    @Test(
        arguments: [
            ("/tokenize", "{}", "prompt"), ("/tokenize", #"{"prompt": "a", "content": "b"}"#, "prompt"),
            ("/tokenize", #"{"prompt": 1}"#, "prompt"), ("/tokenize", #"{"messages": []}"#, "messages"),
            ("/tokenize", #"{"prompt": "a", "add_special_tokens": 1}"#, "add_special_tokens"),
            ("/tokenize", #"{"messages": [{"role": "user", "content": "x"}], "tools": [{}]}"#, "tools"),
            ("/detokenize", "{}", "tokens"), ("/detokenize", #"{"tokens": [1.5]}"#, "tokens"),
            ("/detokenize", #"{"tokens": [-1]}"#, "tokens"), ("/detokenize", #"{"tokens": [99999]}"#, "tokens"),
        ])
    func `a wrong parameter is refused by name`(path: String, body: String, parameter: String) async throws {
        try await withGateway { client in
            let answer = try await client.post(path, body)
            #expect(answer.code == 400, "\(answer.text)")
            #expect(try answer.json()["error"]["param"].text == parameter, "\(answer.text)")
        }
    }
}
