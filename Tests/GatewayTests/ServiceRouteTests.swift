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

    @Test func `the trace and the request's id go on to the engine`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine) { client in
            var request = client.request(.POST, "/v1/completions", #"{"prompt": ["a", "b"], "max_tokens": 1}"#)
            request.headers.add(name: "x-request-id", value: "abc-1")
            request.headers.add(name: "traceparent", value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            request.headers.add(name: "tracestate", value: "congo=t61")
            let answer = try await client.send(request)
            #expect(answer.code == 200)
            let requests = engine.record.requests
            #expect(Set(requests.map(\.id.rawValue)) == ["abc-1-0", "abc-1-1"])
            for trace in requests.map(\.trace) {
                #expect(trace?.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
                #expect(trace?.spanID != "00f067aa0ba902b7" && trace?.spanID == requests[0].trace?.spanID)
                #expect(trace?.isSampled == true && trace?.state == "congo=t61")
            }
            request.headers.replaceOrAdd(name: "traceparent", value: "00-nonsense-01")
            let other = try await client.send(request)
            #expect(other.code == 200)
            #expect(engine.record.requests.last?.trace == nil)
        }
    }
}
