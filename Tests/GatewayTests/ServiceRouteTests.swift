import AsyncHTTPClient
import Foundation
import Inference
import NIOHTTP1
import Testing

@testable import Gateway

struct ServiceRouteTests {
    @Test func `the served model is listed and shown with its card`() async throws {
        try await withGateway { client in
            let list = try await client.get("/v1/models").json()
            #expect(list["object"] == "list")
            #expect(list["data"].elements.map(\.["id"]) == ["toy"])
            #expect(list["data"][0]["object"] == "model")
            #expect(list["data"][0]["owned_by"] == "phalanx")
            #expect(list["data"][0]["created"] == .integer(1_700_000_000))
            #expect(list["data"][0]["max_model_len"] == .integer(4096))
            let single = try await client.get("/v1/models/toy").json()
            #expect(single["id"] == "toy")
            #expect(single["card"] == "# Toy")
        }
    }

    @Test func `liveness does not depend on the cluster and readiness does`() async throws {
        try await withGateway(ToyEngine(state: .loading)) { client in
            #expect(try await client.get("/healthz").code == 200)
            let answer = try await client.get("/readyz")
            #expect(answer.code == 503)
            #expect(try answer.json() == ["status": "loading", "reason": "1 of 2 workers has joined"])
        }
        try await withGateway { client in
            let answer = try await client.get("/readyz")
            #expect(answer.code == 200)
        }
    }

    @Test func `the status is the cluster's own`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            let answer = try await client.get("/status")
            let status = try JSONDecoder().decode(ClusterStatus.self, from: Data(answer.bytes))
            #expect(try await status == engine.status())
        }
    }

    @Test func `a head request gets the headers alone`() async throws {
        try await withGateway { client in
            let answer = try await client.send(client.request(.HEAD, "/healthz"))
            #expect(answer.code == 200)
            #expect(answer.bytes.isEmpty)
        }
    }

    @Test func `the client's request id comes back, and a new one when it is unusable`() async throws {
        try await withGateway { client in
            var request = client.request(.GET, "/healthz")
            request.headers.add(name: "x-request-id", value: "abc-1")
            #expect(try await client.send(request).headers.first(name: "x-request-id") == "abc-1")
            request.headers.replaceOrAdd(name: "x-request-id", value: String(repeating: "x", count: 200))
            let id = try await client.send(request).headers.first(name: "x-request-id")
            #expect(id?.hasPrefix("req-") == true)
        }
    }
}
