import AsyncHTTPClient
import Foundation
import HTTPTypes
import Inference
import NIOHTTP1
import Testing

@testable import Gateway

struct OpenAPITests {
    /// The routes of the document: "GET /v1/models" and so on, with their descriptions.
    private static func operations() throws -> [String: JSONValue] {
        guard case .object(let paths) = try JSONReader.read(OpenAPIDocument.bytes)["paths"] else { return [:] }
        var operations: [String: JSONValue] = [:]
        for path in paths.members {
            guard case .object(let methods) = path.value else { continue }
            for method in methods.members { operations["\(method.key.uppercased()) \(path.key)"] = method.value }
        }
        return operations
    }

    @Test func `every route is in the document, and nothing else is`() throws {
        let routes = Route.allCases.map { "\($0.method.rawValue) \($0.path)" }
        #expect(try Set(Self.operations().keys) == Set(routes))
        #expect(Set(routes).count == routes.count)
    }

    @Test func `references lead somewhere, and operations have names of their own`() throws {
        let text = String(decoding: OpenAPIDocument.bytes, as: UTF8.self)
        let document = try JSONReader.read(OpenAPIDocument.bytes)
        let names = text.components(separatedBy: "#/components/schemas/").dropFirst().map {
            String($0.prefix { $0 != "\"" })
        }
        #expect(names.count > 30)
        for name in names { #expect(document["components"]["schemas"][name] != .null, "\(name)") }
        let operations = try Self.operations().values.map { $0["operationId"].text }
        #expect(Set(operations).count == Route.allCases.count)
    }

    @Test func `every example is accepted, and answered with what the document names`() async throws {
        let operations = try Self.operations()
        try await withGateway { client in
            var count = 0
            for route in Route.allCases where route.method == .post {
                let operation = operations["POST \(route.path)"] ?? .null
                let examples = operation["requestBody"]["content"]["application/json"]["examples"]
                guard case .object(let object) = examples else {
                    Issue.record("\(route.path) has no examples")
                    continue
                }
                for example in object.members {
                    // The examples are meant for the demo model.
                    let body = String(decoding: example.value["value"].encoded, as: UTF8.self)
                        .replacingOccurrences(of: "\"demo", with: "\"toy")
                    let answer = try await client.post(route.path, body)
                    #expect(answer.code == 200, "\(route.path), \(example.key): \(answer.text)")
                    let type = answer.headers.first(name: "content-type")?.prefix { $0 != ";" } ?? ""
                    let named = operation["responses"]["200"]["content"][String(type)]
                    #expect(named != .null, "\(route.path), \(example.key): \(type)")
                    count += 1
                }
            }
            #expect(count > 20)
        }
    }

    @Test func `whatever is got without a body has the status and type of the document`() async throws {
        let operations = try Self.operations()
        try await withGateway { client in
            let stored = try await client.post("/v1/responses", #"{"input": "x"}"#).json()["id"].text ?? ""
            for route in Route.allCases where route.method == .get {
                let path = route.path.replacingOccurrences(of: "{id}", with: route == .response ? stored : "toy")
                let answer = try await client.get(path)
                #expect(answer.code == 200, "\(path)")
                let type = answer.headers.first(name: "content-type")?.prefix { $0 != ";" } ?? ""
                let responses = (operations["GET \(route.path)"] ?? .null)["responses"]
                #expect(responses["200"]["content"][String(type)] != .null, "\(path): \(type)")
            }
            let document = try await client.get("/openapi.json")
            #expect(document.bytes == OpenAPIDocument.bytes)
        }
    }
}
