import AsyncHTTPClient
import Foundation
import HTTPTypes
import Inference
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle

@testable import Gateway

/// A client of a gateway that runs on a free port of this machine.
struct GatewayClient: Sendable {
    struct Answer: Sendable {
        let code: Int
        let headers: HTTPHeaders
        let bytes: [UInt8]

        var text: String { String(decoding: bytes, as: UTF8.self) }

        func json() throws -> JSONValue { try JSONReader.read(bytes) }

        /// The payloads of server-sent events, without comments.
        var events: [String] {
            text.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
        }

        /// Server-sent events that have a name, as name and payload.
        func namedEvents() throws -> [(name: String, payload: JSONValue)] {
            try text.components(separatedBy: "\n\n").filter { $0.hasPrefix("event: ") }.map { event in
                let lines = event.split(separator: "\n", maxSplits: 1)
                return (
                    String(lines[0].dropFirst("event: ".count)),
                    try JSONReader.read(Array(lines[1].dropFirst("data: ".count).utf8))
                )
            }
        }

        /// The lines of an answer that has one JSON value in each.
        func lines() throws -> [JSONValue] {
            try text.split(separator: "\n").map { try JSONReader.read(Array($0.utf8)) }
        }

        /// The payloads that are JSON: all but `[DONE]`.
        func chunks() throws -> [JSONValue] {
            try events.filter { $0 != "[DONE]" }.map { try JSONReader.read(Array($0.utf8)) }
        }
    }

    let port: Int
    /// Begins a graceful shutdown.
    var stop: @Sendable () async -> Void = {}

    func request(_ method: HTTPMethod, _ path: String, _ body: String? = nil) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(Array(body.utf8))
        }
        return request
    }

    func send(_ request: HTTPClientRequest) async throws -> Answer {
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let body = try await response.body.collect(upTo: 64 << 20)
        return Answer(
            code: Int(response.status.code), headers: response.headers, bytes: Array(body.readableBytesView))
    }

    func get(_ path: String) async throws -> Answer { try await send(request(.GET, path)) }

    func post(_ path: String, _ body: String) async throws -> Answer { try await send(request(.POST, path, body)) }

    func complete(_ body: String) async throws -> Answer { try await post("/v1/completions", body) }

    func chat(_ body: String) async throws -> Answer { try await post("/v1/chat/completions", body) }
}

/// Runs a gateway in front of an engine for as long as `body` takes.
func withGateway<Result: Sendable>(
    _ engine: ToyEngine = ToyEngine(), configuration: GatewayConfiguration = GatewayConfiguration(),
    filter: ContentFilter? = nil, auditLog: AuditLog? = nil, _ body: @Sendable (GatewayClient) async throws -> Result
) async throws -> Result {
    var configuration = configuration
    configuration.port = 0
    var logger = Logger(label: "gateway tests")
    logger.logLevel = .critical
    let (ports, source) = AsyncStream<Int>.makeStream()
    let server = GatewayServer(
        engine: engine, configuration: configuration, logger: logger, filter: filter, auditLog: auditLog
    ) { port in
        source.yield(port)
    }
    let services = ServiceGroup(services: [server], logger: logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { source.finish() }
            try await services.run()
        }
        guard let port = await ports.first(where: { _ in true }) else {
            try await group.waitForAll()
            throw GatewayDidNotStart()
        }
        let result: Result
        do {
            result = try await body(GatewayClient(port: port) { await services.triggerGracefulShutdown() })
        } catch {
            await services.triggerGracefulShutdown()
            throw error
        }
        await services.triggerGracefulShutdown()
        try await group.waitForAll()
        return result
    }
}

struct GatewayDidNotStart: Error {}

extension JSONValue {
    subscript(key: String) -> JSONValue {
        guard case .object(let object) = self else { return .null }
        return object[key] ?? .null
    }

    subscript(index: Int) -> JSONValue {
        guard case .array(let array) = self, array.indices.contains(index) else { return .null }
        return array[index]
    }

    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var elements: [JSONValue] {
        guard case .array(let array) = self else { return [] }
        return array
    }
}
