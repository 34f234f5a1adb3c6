import Inference
import Testing

@testable import Gateway

struct CompletionRouteTests {
    @Test func `a completion has OpenAI's shape and exact usage`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.complete(
                #"{"model": "toy", "prompt": "Hello", "temperature": 0, "max_tokens": 100}"#)
            #expect(answer.code == 200)
            let json = try answer.json()
            #expect(json["object"] == "text_completion")
            #expect(json["id"].text?.hasPrefix("cmpl-") == true)
            #expect(json["model"] == "toy")
            #expect(json["system_fingerprint"] == "fp_toy")
            #expect(json["created"].integer ?? 0 > 1_700_000_000)
            let choice = json["choices"][0]
            #expect(choice["text"].text == ToyEngine.answer)
            #expect(choice["finish_reason"] == "stop")
            #expect(choice["index"] == .integer(0))
            #expect(choice["logprobs"] == .null)
            let count = Int64(ToyEngine.answer.utf8.count + 1)
            #expect(json["usage"]["prompt_tokens"] == .integer(5))
            #expect(json["usage"]["completion_tokens"] == .integer(count))
            #expect(json["usage"]["total_tokens"] == .integer(5 + count))
            #expect(json["usage"]["prompt_tokens_details"]["cached_tokens"] == .integer(3))
        }
        #expect(engine.record.requests.map(\.prompt) == [ToyTokenizer.bytes("Hello")])
        #expect(engine.record.runningCount == 0)
    }

    @Test func `sixteen tokens are the default and the rest of the context when that is less`() async throws {
        let engine = ToyEngine(contextLength: 20)
        try await withGateway(engine) { client in
            let answer = try await client.complete(#"{"prompt": "abc"}"#)
            #expect(try answer.json()["choices"][0]["finish_reason"] == "length")
            _ = try await client.complete(#"{"prompt": "0123456789"}"#)
        }
        #expect(engine.record.requests.map(\.maxTokens) == [16, 10])
    }

    @Test func `every parameter reaches the engine`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.complete(
                """
                {"prompt": [1, 2.0, 3], "n": 2, "best_of": 2, "max_tokens": 7, "temperature": 0.5, "top_p": 0.25,
                 "top_k": 40, "min_p": 0.125, "presence_penalty": -1, "frequency_penalty": 1.5,
                 "repetition_penalty": 1.25, "logit_bias": {"5": -100, "3": 2.5}, "seed": -1, "ignore_eos": true,
                 "stop_token_ids": [9], "logprobs": 3, "echo": true, "user": "u", "priority": -3,
                 "cache_salt": "pepper", "metadata": {"a": "b"},
                 "suffix": null, "response_format": {"type": "text"}, "unheard_of": [1]}
                """)
            #expect(answer.code == 200, "\(answer.text)")
        }
        let request = try #require(engine.record.requests.first)
        #expect(request.prompt == [1, 2, 3])
        #expect(request.choiceCount == 2)
        #expect(request.maxTokens == 7)
        #expect(
            request.sampling
                == SamplingParameters(
                    temperature: 0.5, topK: 40, topP: 0.25, minP: 0.125, presencePenalty: -1, frequencyPenalty: 1.5,
                    repetitionPenalty: 1.25,
                    logitBias: [LogitBias(token: 3, bias: 2.5), LogitBias(token: 5, bias: -100)]))
        #expect(request.seed == .max)
        #expect(request.ignoreEndOfSequence)
        #expect(request.stopTokens == [9])
        #expect(request.logprobCount == 3)
        #expect(request.promptLogprobCount == 3)
        #expect(request.client == "user u" && request.priority == -3 && request.cacheSalt == "pepper")
    }

    @Test func `requests that name no user are their machine's`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let named = #"{"prompt": "x", "max_tokens": 1, "user": "old", "safety_identifier": "new"}"#
            for body in [#"{"prompt": "x", "max_tokens": 1}"#, named] {
                let answer = try await client.complete(body)
                #expect(answer.code == 200, "\(answer.text)")
            }
        }
        #expect(engine.record.requests.map(\.client) == ["address 127.0.0.1", "user new"])
        #expect(engine.record.requests.allSatisfy { $0.priority == 0 && $0.cacheSalt == nil })
    }

    @Test func `several prompts are answered in order, each with n choices`() async throws {
        try await withGateway { client in
            let answer = try await client.complete(
                #"{"prompt": ["a", "b", "c"], "n": 2, "seed": 3, "max_tokens": 30}"#)
            let choices = try answer.json()["choices"].elements
            #expect(choices.map(\.["index"]) == (0..<6).map { JSONValue.integer($0) })
            #expect(Set(choices.map { $0["text"].text }).count == 6)
            let single = try await client.complete(#"{"prompt": [[98]], "n": 2, "seed": 3, "max_tokens": 30}"#)
            let expected = try single.json()["choices"].elements.map { $0["text"].text }
            #expect(choices[2...3].map { $0["text"].text } == expected)
            #expect(try answer.json()["usage"]["prompt_tokens"] == .integer(3))
        }
    }

    @Test func `the same seed gives the same text`() async throws {
        try await withGateway { client in
            let body = #"{"prompt": "x", "seed": 42, "max_tokens": 24}"#
            let first = try await client.complete(body).json()["choices"]
            #expect(try await client.complete(body).json()["choices"] == first)
            let other = try await client.complete(#"{"prompt": "x", "seed": 43, "max_tokens": 24}"#).json()["choices"]
            #expect(other != first)
        }
    }

    @Test func `a stop string cuts the text and gives the choice up`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let json = try await client.complete(
                #"{"prompt": "x", "temperature": 0, "max_tokens": 100, "stop": ["nothing", " STOP"]}"#
            ).json()
            #expect(json["choices"][0]["text"].text == "Grüße, 世界! 🙂")
            #expect(json["choices"][0]["finish_reason"] == "stop")
            #expect(json["usage"]["completion_tokens"] == .integer(Int64("Grüße, 世界! 🙂 STOP".utf8.count)))
        }
        #expect(engine.record.cancelledChoices == [0])
    }

    @Test func `log-probabilities have OpenAI's shape`() async throws {
        try await withGateway { client in
            let json = try await client.complete(
                #"{"prompt": "x", "temperature": 0, "max_tokens": 4, "logprobs": 2}"#
            ).json()
            let logprobs = json["choices"][0]["logprobs"]
            #expect(json["choices"][0]["text"] == "Grü")
            #expect(logprobs["tokens"] == ["G", "r", #"bytes:\xc3"#, #"bytes:\xbc"#])
            #expect(logprobs["token_logprobs"] == [.double(-0.25), .double(-0.375), .double(-0.5), .double(-0.625)])
            #expect(logprobs["text_offset"] == [.integer(0), .integer(1), .integer(2), .integer(2)])
            #expect(logprobs["top_logprobs"][0] == ["G": .double(-0.25), "N": .double(-2.75)])
        }
    }

    @Test func `zero alternatives list the token itself`() async throws {
        try await withGateway { client in
            let json = try await client.complete(
                #"{"prompt": "x", "temperature": 0, "max_tokens": 1, "logprobs": 0}"#
            ).json()
            #expect(json["choices"][0]["logprobs"]["top_logprobs"] == [["G": .double(-0.25)]])
        }
    }

    @Test func `an echo with no new tokens scores the prompt`() async throws {
        try await withGateway { client in
            let json = try await client.complete(
                #"{"prompt": "né!", "max_tokens": 0, "echo": true, "logprobs": 1, "temperature": 0}"#
            ).json()
            let choice = json["choices"][0]
            #expect(choice["text"] == "né!")
            #expect(choice["finish_reason"] == "length")
            let logprobs = choice["logprobs"]
            #expect(logprobs["tokens"] == ["n", #"bytes:\xc3"#, #"bytes:\xa9"#, "!"])
            #expect(logprobs["token_logprobs"] == [.null, .double(-0.375), .double(-0.5), .double(-0.625)])
            #expect(logprobs["top_logprobs"][0] == .null)
            #expect(logprobs["text_offset"] == [.integer(0), .integer(1), .integer(1), .integer(2)])
            #expect(json["usage"]["completion_tokens"] == .integer(0))
        }
    }

    @Test func `an evaluation tool finds one new token after the prompt, also when it is the end`() async throws {
        let engine = ToyEngine { _, _ in [] }
        try await withGateway(engine) { client in
            let json = try await client.complete(
                #"{"prompt": [104, 105], "max_tokens": 1, "echo": true, "logprobs": 1, "temperature": 0}"#
            ).json()
            let choice = json["choices"][0]
            #expect(choice["text"] == "hi")
            #expect(choice["finish_reason"] == "stop")
            #expect(choice["logprobs"]["tokens"] == ["h", "i", "<|end|>"])
            #expect(choice["logprobs"]["text_offset"] == [.integer(0), .integer(1), .integer(2)])
        }
    }

    @Test func `token ids come back when they are asked for`() async throws {
        try await withGateway { client in
            let json = try await client.complete(
                #"{"prompt": "x", "temperature": 0, "max_tokens": 2, "return_token_ids": true}"#
            ).json()
            #expect(json["choices"][0]["token_ids"] == [.integer(0x47), .integer(0x72)])
        }
    }

    @Test func `special tokens in a prompt are parsed, since it may be in the model's own format`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            _ = try await client.complete(#"{"prompt": "<|end|>"}"#)
        }
        #expect(engine.record.requests.first?.prompt == [ToyTokenizer.end])
    }

    @Test func `more prompts than the engine gets at a time are all answered`() async throws {
        var configuration = GatewayConfiguration()
        configuration.concurrentPromptCount = 2
        let engine = ToyEngine { request, _ in request.prompt.reversed() }
        try await withGateway(engine, configuration: configuration) { client in
            let json = try await client.complete(#"{"prompt": ["ab", "cd", "ef", "gh", "ij"], "max_tokens": 9}"#).json()
            #expect(json["choices"].elements.map { $0["text"].text } == ["ba", "dc", "fe", "hg", "ji"])
        }
        #expect(Set(engine.record.requests.map(\.id.rawValue)).count == 5)
    }
}
