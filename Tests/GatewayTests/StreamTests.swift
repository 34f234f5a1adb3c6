import AsyncHTTPClient
import Inference
import NIOCore
import NIOHTTP1
import Testing

@testable import Gateway

struct StreamTests {
    private static let question = #""messages": [{"role": "user", "content": "Hi"}], "temperature": 0, "stream": true"#

    @Test func `a chat stream begins with the role and ends with a reason, the usage and DONE`() async throws {
        try await withGateway { client in
            let answer = try await client.chat("{\(Self.question), \"stream_options\": {\"include_usage\": true}}")
            #expect(answer.code == 200)
            #expect(answer.headers.first(name: "content-type")?.hasPrefix("text/event-stream") == true)
            #expect(answer.events.last == "[DONE]")
            let chunks = try answer.chunks()
            let whole = try await client.chat(#"{"messages": [{"role": "user", "content": "Hi"}], "temperature": 0}"#)
            #expect(chunks.allSatisfy { $0["object"] == "chat.completion.chunk" && $0["id"] == chunks[0]["id"] })
            #expect(chunks[0]["choices"][0]["delta"] == ["role": "assistant", "content": ""])
            let text = chunks.compactMap { $0["choices"][0]["delta"]["content"].text }.joined()
            #expect(text == ToyEngine.answer)
            #expect(chunks.dropLast().allSatisfy { $0["usage"] == .null })
            #expect(chunks.dropLast(2).allSatisfy { $0["choices"][0]["finish_reason"] == .null })
            #expect(chunks[chunks.count - 2]["choices"][0]["finish_reason"] == "stop")
            #expect(chunks[chunks.count - 2]["choices"][0]["delta"] == [:])
            #expect(chunks[chunks.count - 1]["choices"] == [])
            #expect(try chunks[chunks.count - 1]["usage"] == whole.json()["usage"])
        }
    }

    @Test func `a completion stream has the text and log-probabilities of the whole answer`() async throws {
        try await withGateway { client in
            let parameters =
                #""prompt": "ab", "temperature": 0, "max_tokens": 60, "logprobs": 1, "echo": true, "n": 2, "#
                + #""stop": "STOP", "return_token_ids": true"#
            let whole = try await client.complete("{\(parameters)}").json()
            let chunks = try await client.complete("{\(parameters), \"stream\": true}").chunks()
            for choice in 0..<2 {
                let mine = chunks.map(\.["choices"][0]).filter { $0["index"] == .integer(Int64(choice)) }
                let expected = whole["choices"][choice]
                #expect(mine.compactMap { $0["text"].text }.joined() == expected["text"].text)
                for list in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
                    let joined = mine.flatMap { $0["logprobs"][list].elements }
                    #expect(joined == expected["logprobs"][list].elements, "\(list)")
                }
                #expect(mine.flatMap { $0["token_ids"].elements } == expected["token_ids"].elements)
                #expect(mine.last?["finish_reason"] == "stop")
            }
        }
    }

    @Test func `an error in the middle is an event and DONE does not follow`() async throws {
        let error = EngineError(code: .unavailable, message: "too few workers are left")
        try await withGateway(ToyEngine(breakdown: (4, error))) { client in
            let answer = try await client.chat("{\(Self.question)}")
            #expect(answer.code == 200)
            let last = try #require(try answer.chunks().last)
            #expect(last["error"]["message"] == "too few workers are left")
            #expect(last["error"]["code"] == "service_unavailable")
            #expect(!answer.events.contains("[DONE]"))
        }
    }

    @Test func `comments keep a stream alive while nothing happens`() async throws {
        var configuration = GatewayConfiguration()
        configuration.keepAliveMilliseconds = 20
        try await withGateway(ToyEngine(prefillDelay: .milliseconds(400)), configuration: configuration) { client in
            let answer = try await client.chat("{\(Self.question)}")
            #expect(answer.text.contains(": keep-alive\n\n"))
            #expect(answer.events.last == "[DONE]")
        }
    }

    @Test(arguments: [true, false]) func `a client that leaves cancels its request`(isStreamed: Bool) async throws {
        let engine = ToyEngine(tokenDelay: .milliseconds(20)) { _, _ in Array(repeating: 0x61, count: 3000) }
        try await withGateway(engine) { client in
            let request = client.request(
                .POST, "/v1/completions", #"{"prompt": "x", "max_tokens": 3000, "stream": \#(isStreamed)}"#)
            let call = Task {
                let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
                for try await _ in response.body where isStreamed { break }
            }
            while engine.record.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            if isStreamed { _ = await call.result } else { call.cancel() }
            while engine.record.runningCount > 0 { try await Task.sleep(for: .milliseconds(5)) }
            _ = await call.result
            #expect(engine.record.abandoned.count == 1)
            // The gateway lives on.
            #expect(try await client.get("/healthz").code == 200)
        }
    }

    @Test func `fifty streams at once are all answered`() async throws {
        let engine = ToyEngine(tokenDelay: .milliseconds(1))
        try await withGateway(engine) { client in
            let texts = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        let chunks = try await client.chat("{\(Self.question)}").chunks()
                        return chunks.compactMap { $0["choices"][0]["delta"]["content"].text }.joined()
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(texts == Array(repeating: ToyEngine.answer, count: 50))
        }
        #expect(engine.record.abandoned.isEmpty)
    }

    @Test func `a connection serves one request after another`() async throws {
        try await withGateway { client in
            for _ in 0..<3 {
                let stream = try await client.chat("{\(Self.question)}")
                #expect(stream.events.last == "[DONE]")
                let health = try await client.get("/healthz")
                #expect(health.code == 200)
            }
        }
    }

    @Test func `a graceful shutdown finishes the streams that are on their way`() async throws {
        let engine = ToyEngine(tokenDelay: .milliseconds(10))
        let stream = try await withGateway(engine) { client in
            let stream = Task { try await client.chat("{\(Self.question)}") }
            while engine.record.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            return stream
        }
        let answer = try await stream.value
        #expect(answer.events.last == "[DONE]")
        #expect(engine.record.abandoned.isEmpty)
    }
}
