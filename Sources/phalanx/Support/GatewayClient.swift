import AsyncHTTPClient
import Foundation
import Inference
import NIOCore
import NIOHTTP1
import Terminal

/// A gateway as its clients see it.
struct GatewayClient: Sendable {
    let base: String
    private let key: String?
    private let connections: HTTPClient

    static let shortTimeout = TimeAmount.seconds(10)
    private static let answerTimeout = TimeAmount.hours(1)
    static let statusLimit = 8 << 20

    /// - Parameter key: the API key, where the gateway asks for one.
    init(url: String, key: String? = nil, connections: HTTPClient = .shared) {
        self.key = key
        // "http://HOST:PORT/v1", as OpenAI's clients want it, names the same gateway.
        var base = url
        for ending in ["/", "/v1"] where base.hasSuffix(ending) { base.removeLast(ending.count) }
        self.base = base
        self.connections = connections
    }

    private struct ChatRequest: Encodable {
        let model: String
        let messages: [ChatMessage]
        let settings: ChatSettings
        let stream = true

        enum CodingKeys: String, CodingKey {
            case model, messages, stream
        }

        func encode(to encoder: any Encoder) throws {
            try settings.encode(to: encoder)
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(model, forKey: .model)
            try fields.encode(messages, forKey: .messages)
            try fields.encode(stream, forKey: .stream)
        }
    }

    private struct Chunk: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable {
                let content: String?
            }
            let delta: Delta?
        }
        let choices: [Choice]?
        let error: Failure?
    }

    struct Failure: Decodable {
        let message: String
    }

    private struct ErrorBody: Decodable {
        let error: Failure
    }

    func status() async throws -> ClusterStatus {
        var request = HTTPClientRequest(url: base + "/status")
        request.method = .GET
        let response = try await execute(request, timeout: Self.shortTimeout)
        let body = try await response.body.collect(upTo: Self.statusLimit)
        return try JSONDecoder().decode(ClusterStatus.self, from: Data(body.readableBytesView))
    }

    /// Asks for an answer and hands out its pieces as they come.
    func chat(
        _ messages: [ChatMessage], model: String, settings: ChatSettings, onText: (String) throws -> Void
    ) async throws {
        let response = try await post(
            ChatRequest(model: model, messages: messages, settings: settings), to: "/v1/chat/completions")
        try await ServerEvents(body: response.body, address: base).forEach { event in
            let chunk = try JSONDecoder().decode(Chunk.self, from: event)
            if let error = chunk.error { throw CommandError(error.message) }
            guard let piece = chunk.choices?.first?.delta?.content else { return }
            try onText(piece)
        }
    }

    /// Sends JSON for an answer that is streamed, over a connection of its own: some servers close one after a stream
    /// without saying so, and the next request on it would fail.
    func post(_ body: some Encodable, to path: String) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: base + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "Connection", value: "close")
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        return try await execute(request, timeout: Self.answerTimeout)
    }

    func execute(_ request: HTTPClientRequest, timeout: TimeAmount) async throws -> HTTPClientResponse {
        var request = request
        if let key { request.headers.replaceOrAdd(name: "Authorization", value: "Bearer \(key)") }
        let response: HTTPClientResponse
        do {
            response = try await connections.execute(request, timeout: timeout)
        } catch {
            throw CommandError(
                "no gateway answers at \(base): \(error). Start one with: phalanx up --model demo, or name it with --url"
            )
        }
        guard response.status == .ok else {
            let body = try await response.body.collect(upTo: Self.statusLimit)
            let message = try? JSONDecoder().decode(ErrorBody.self, from: Data(body.readableBytesView))
            throw CommandError(
                message?.error.message ?? "the gateway at \(base) answered with HTTP status \(response.status.code)")
        }
        return response
    }
}
