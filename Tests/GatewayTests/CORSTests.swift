import AsyncHTTPClient
import Foundation
import NIOHTTP1
import Testing

@testable import Gateway

struct CORSTests {
    private static func ask(
        _ client: GatewayClient, _ method: HTTPMethod, _ path: String, _ headers: [String: String]
    ) async throws -> GatewayClient.Answer {
        var request = client.request(method, path)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        return try await client.send(request)
    }

    private static let preflight = [
        "origin": "https://app.example", "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    ]

    @Test func `pages of other origins get nothing unless they are named`() async throws {
        try await withGateway { client in
            let asked = try await Self.ask(client, .OPTIONS, "/v1/chat/completions", Self.preflight)
            #expect(asked.code == 405 && asked.headers.first(name: "access-control-allow-origin") == nil)
            let answer = try await Self.ask(client, .GET, "/v1/models", ["origin": "https://app.example"])
            #expect(answer.headers.first(name: "access-control-allow-origin") == nil)
        }
    }

    @Test func `pages of named origins may ask, and read answers and errors`() async throws {
        let configuration = GatewayConfiguration(corsOrigins: ["https://app.example"])
        try await withGateway(ToyEngine(key: "k"), configuration: configuration) { client in
            let asked = try await Self.ask(client, .OPTIONS, "/v1/chat/completions", Self.preflight)
            #expect(asked.code == 204, "a browser asks without the key")
            #expect(asked.headers.first(name: "access-control-allow-origin") == "https://app.example")
            #expect(asked.headers.first(name: "access-control-allow-methods") == "POST")
            #expect(asked.headers.first(name: "access-control-allow-headers") == "authorization,content-type")
            #expect(asked.headers.first(name: "vary")?.contains("Origin") == true)
            for (headers, code) in [(["x-api-key": "k"], 200), ([:], 401)] {
                let answer = try await Self.ask(
                    client, .GET, "/v1/models", headers.merging(["origin": "https://app.example"]) { $1 })
                #expect(answer.code == code)
                #expect(answer.headers.first(name: "access-control-allow-origin") == "https://app.example")
                #expect(answer.headers.first(name: "access-control-expose-headers")?.contains("x-request-id") == true)
                #expect(answer.headers.first(name: "vary") == "Origin")
            }
            var other = Self.preflight
            other["origin"] = "https://app.example.evil"
            let refused = try await Self.ask(client, .OPTIONS, "/v1/chat/completions", other)
            #expect(refused.code != 204 && refused.headers.first(name: "access-control-allow-origin") == nil)
        }
    }

    @Test func `a star means every page`() async throws {
        try await withGateway(configuration: GatewayConfiguration(corsOrigins: ["*"])) { client in
            let answer = try await Self.ask(client, .GET, "/v1/models", ["origin": "https://any.example"])
            #expect(answer.headers.first(name: "access-control-allow-origin") == "*")
        }
    }
}
