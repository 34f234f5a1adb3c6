import AsyncHTTPClient
import Foundation
import HTTPTypes
import Inference
import NIOHTTP1
import Testing

@testable import Gateway

struct KeyRouteTests {
    private static let key = "phx-secret"
    private static let body = #"{"model": "toy", "messages": [{"role": "user", "content": "x"}], "temperature": 0}"#

    private static func ask(
        _ client: GatewayClient, _ method: HTTPMethod, _ path: String, _ headers: [(String, String)],
        body: String? = nil
    ) async throws -> GatewayClient.Answer {
        var request = client.request(method, path, body)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        return try await client.send(request)
    }

    @Test func `every route but those for health and the page needs a key once there is one`() async throws {
        try await withGateway(ToyEngine(key: Self.key)) { client in
            for route in Route.allCases {
                let path = route.path.replacingOccurrences(of: "{id}", with: "toy")
                let method = HTTPMethod(rawValue: route.method.rawValue)
                let answer = try await Self.ask(client, method, path, [], body: method == .POST ? "{}" : nil)
                let isOpen = ["/", "/healthz", "/health", "/readyz"].contains(route.path)
                #expect((answer.code == 401) != isOpen, "\(method) \(path): \(answer.code)")
                guard !isOpen else { continue }
                #expect(answer.headers.first(name: "www-authenticate") == "Bearer realm=\"phalanx\"")
                #expect(answer.headers.first(name: "x-request-id") != nil)
            }
            #expect(try await client.get("/nowhere").code == 401, "strangers do not learn what there is")
            let page = try await Self.ask(client, .GET, "/", [("accept", "text/html")])
            #expect(page.code == 200 && page.text.contains("api-key"))
            #expect(try await client.get("/page/api.js").code == 200)
        }
    }

    @Test func `keys are taken as each API's clients send them, and errors come in its shape`() async throws {
        let engine = ToyEngine(key: Self.key)
        try await withGateway(engine) { client in
            for header in [
                ("authorization", "Bearer \(Self.key)"), ("authorization", "bearer  \(Self.key)"),
                ("x-api-key", Self.key),
            ] {
                #expect(try await Self.ask(client, .GET, "/v1/models", [header]).code == 200, "\(header)")
            }
            for header in [
                ("authorization", "Bearer \(Self.key)x"), ("authorization", "Bearer"), ("authorization", Self.key),
                ("authorization", "Basic \(Self.key)"), ("x-api-key", ""), ("x-api-key", "x\(Self.key)"),
            ] {
                let answer = try await Self.ask(client, .GET, "/v1/models", [header])
                #expect(answer.code == 401, "\(header)")
                let error = try answer.json()["error"]
                #expect(error["code"] == "invalid_api_key" && error["type"] == "invalid_request_error")
            }
            let anthropic = try await client.post("/v1/messages", "{}")
            #expect(try anthropic.json()["error"]["type"] == "authentication_error")
            let ollama = try await client.post("/api/chat", "{}")
            #expect(try ollama.json()["error"].text != nil)
            #expect(engine.record.requests.isEmpty)
        }
    }

    @Test func `the key's hash goes along, and what is left is told as OpenAI does`() async throws {
        let limits = RateLimits(
            requests: RateLimits.Allowance(limit: 60, remaining: 59, resetMilliseconds: 1000),
            tokens: RateLimits.Allowance(limit: 9000, remaining: 0, resetMilliseconds: 90_000.5))
        let engine = ToyEngine(key: Self.key, limits: limits)
        try await withGateway(engine) { client in
            let header = [("authorization", "Bearer \(Self.key)")]
            for isStreamed in [false, true] {
                let body = Self.body.dropLast() + #", "stream": \#(isStreamed)}"#
                let answer = try await Self.ask(
                    client, .POST, "/v1/chat/completions", header, body: String(body))
                #expect(answer.code == 200)
                let expected = [
                    "limit-requests": "60", "remaining-requests": "59", "reset-requests": "1s",
                    "limit-tokens": "9000", "remaining-tokens": "0", "reset-tokens": "1m31s",
                ]
                for (name, value) in expected {
                    #expect(answer.headers.first(name: "x-ratelimit-\(name)") == value, "\(name)")
                }
            }
            #expect(engine.record.requests.count == 2)
            #expect(engine.record.requests.allSatisfy { $0.key != nil })
        }
        let refusal = EngineError(code: .overloaded, message: "slowly", retryAfterSeconds: 7, limits: limits)
        try await withGateway(ToyEngine(refusal: refusal)) { client in
            let answer = try await client.chat(Self.body)
            #expect(answer.code == 429)
            #expect(answer.headers.first(name: "retry-after") == "7")
            #expect(answer.headers.first(name: "x-ratelimit-remaining-requests") == "59")
            #expect(try answer.json()["error"]["code"] == "rate_limit_exceeded")
        }
    }
}
