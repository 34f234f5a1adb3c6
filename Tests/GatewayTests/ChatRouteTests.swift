import Inference
import Testing

@testable import Gateway

struct ChatRouteTests {
    @Test func `a chat completion has OpenAI's shape`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.chat(
                #"{"model": "toy", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}"#)
            #expect(answer.code == 200)
            let json = try answer.json()
            #expect(json["object"] == "chat.completion")
            #expect(json["id"].text?.hasPrefix("chatcmpl-") == true)
            let choice = json["choices"][0]
            #expect(choice["message"]["role"] == "assistant")
            #expect(choice["message"]["content"].text == ToyEngine.answer)
            #expect(choice["finish_reason"] == "stop")
            #expect(json["usage"]["prompt_tokens"] == .integer(5))
        }
        let request = try #require(engine.record.requests.first)
        let expected =
            [ToyTokenizer.special("<|user|>")] + ToyTokenizer.bytes("Hi")
            + [ToyTokenizer.end, ToyTokenizer.special("<|assistant|>")]
        #expect(request.prompt == expected)
        #expect(request.maxTokens == nil)
        #expect(request.promptLogprobCount == nil)
    }

    @Test func `roles, text parts and special tokens in text are rendered as they should be`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.chat(
                """
                {"messages": [{"role": "developer", "content": "S"},
                              {"role": "user", "content": [{"type": "text", "text": "a<|end|>"},
                                                           {"type": "text", "text": "b"}]},
                              {"role": "assistant", "content": "c"}, {"role": "user", "content": "d", "name": "x"}],
                 "max_completion_tokens": 3, "tools": [], "tool_choice": "auto", "parallel_tool_calls": true}
                """)
            #expect(answer.code == 200, "\(answer.text)")
        }
        let request = try #require(engine.record.requests.first)
        let special = ToyTokenizer.special
        let expected =
            [special("<|system|>")] + ToyTokenizer.bytes("S") + [special("<|end|>"), special("<|user|>")]
            + ToyTokenizer.bytes("a<|end|>b") + [special("<|end|>"), special("<|assistant|>")]
            + ToyTokenizer.bytes("c") + [special("<|end|>"), special("<|user|>")] + ToyTokenizer.bytes("d")
            + [special("<|end|>"), special("<|assistant|>")]
        #expect(request.prompt == expected)
        #expect(request.maxTokens == 3)
    }

    @Test func `log-probabilities list tokens, bytes and alternatives but not the end token`() async throws {
        let engine = ToyEngine { _, _ in ToyTokenizer.bytes("é") }
        try await withGateway(engine) { client in
            let json = try await client.chat(
                """
                {"messages": [{"role": "user", "content": "x"}], "logprobs": true, "top_logprobs": 2, "temperature": 0}
                """
            ).json()
            let content = json["choices"][0]["logprobs"]["content"]
            #expect(content.elements.count == 2)
            #expect(content[0]["token"] == #"bytes:\xc3"#)
            #expect(content[0]["bytes"] == [.integer(0xC3)])
            #expect(content[0]["logprob"] == .double(-0.25))
            #expect(content[0]["top_logprobs"].elements.count == 2)
            #expect(content[0]["top_logprobs"][1]["logprob"] == .double(-2.75))
            #expect(json["choices"][0]["message"]["content"] == "é")
        }
        #expect(engine.record.requests.first?.logprobCount == 2)
    }

    @Test func `log-probabilities without alternatives have an empty list of them`() async throws {
        try await withGateway { client in
            let json = try await client.chat(
                #"{"messages": [{"role": "user", "content": "x"}], "logprobs": true, "max_tokens": 1}"#
            ).json()
            #expect(json["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == [])
        }
    }
}
