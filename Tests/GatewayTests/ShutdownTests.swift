import AsyncHTTPClient
import Foundation
import Inference
import NIOCore
import NIOHTTP1
import Testing

@testable import Gateway

struct ShutdownTests {
    private static let body =
        #"{"model": "toy", "messages": [{"role": "user", "content": "x"}], "temperature": 0, "stream": true}"#

    /// Begins a stream, shuts down after its first bytes, and returns all that comes.
    private static func answer(graceMilliseconds: Int, tokenDelay: Duration) async throws -> String {
        let configuration = GatewayConfiguration(shutdownGraceMilliseconds: graceMilliseconds)
        return try await withGateway(ToyEngine(tokenDelay: tokenDelay), configuration: configuration) { client in
            let response = try await HTTPClient.shared.execute(
                client.request(.POST, "/v1/chat/completions", body), timeout: .seconds(60))
            var text = ""
            for try await buffer in response.body {
                if text.isEmpty { await client.stop() }
                text += String(buffer: buffer)
            }
            return text
        }
    }

    @Test func `a shutdown waits for answers on their way`() async throws {
        let text = try await Self.answer(graceMilliseconds: 60_000, tokenDelay: .milliseconds(10))
        #expect(text.hasSuffix("data: [DONE]\n\n"))
        #expect(text.contains(#""finish_reason":"stop""#))
    }

    @Test func `an answer that takes longer ends with an error that says so`() async throws {
        let text = try await Self.answer(graceMilliseconds: 0, tokenDelay: .seconds(30))
        #expect(text.contains("shutting down"))
        #expect(text.contains("service_unavailable"))
        #expect(!text.contains("[DONE]"))
    }

    @Test func `a whole answer that takes longer is refused`() async throws {
        let configuration = GatewayConfiguration(shutdownGraceMilliseconds: 0)
        let engine = ToyEngine(tokenDelay: .seconds(30))
        let answer = try await withGateway(engine, configuration: configuration) { client in
            async let answer = client.chat(#"{"model": "toy", "messages": [{"role": "user", "content": "x"}]}"#)
            while engine.record.runningCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
            await client.stop()
            return try await answer
        }
        #expect(answer.code == 503)
        #expect(answer.text.contains("shutting down"))
    }
}
