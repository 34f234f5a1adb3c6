import AsyncHTTPClient
import Foundation
import Inference
import NIOCore
import NIOHTTP1

/// A gateway as its clients see it.
struct GatewayClient: Sendable {
    private let base: String

    private static let shortTimeout = TimeAmount.seconds(10)
    private static let answerTimeout = TimeAmount.hours(1)
    private static let statusLimit = 8 << 20
    /// The longest line of an event stream that is believed.
    private static let lineLimit = 1 << 20

    init(url: String) {
        // "http://HOST:PORT/v1", as OpenAI's clients want it, names the same gateway.
        var base = url
        for ending in ["/", "/v1"] where base.hasSuffix(ending) { base.removeLast(ending.count) }
        self.base = base
    }

    struct Message: Codable, Sendable {
        let role: String
        let content: String
    }

    private struct ChatRequest: Encodable {
        struct StreamOptions: Encodable {
            let includeUsage = true
            enum CodingKeys: String, CodingKey { case includeUsage = "include_usage" }
        }

        let model: String
        let messages: [Message]
        let temperature: Float?
        let maxTokens: Int?
        let seed: Int?
        let stream = true

        enum CodingKeys: String, CodingKey {
            case model, messages, temperature, seed, stream
            case maxTokens = "max_tokens"
        }
    }

    private struct Chunk: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable {
                let content: String?
            }
            let delta: Delta?
        }
        struct Failure: Decodable {
            let message: String
        }
        let choices: [Choice]?
        let error: Failure?
    }

    private struct ErrorBody: Decodable {
        let error: Chunk.Failure
    }

    func status() async throws -> ClusterStatus {
        var request = HTTPClientRequest(url: base + "/status")
        request.method = .GET
        let response = try await execute(request, timeout: Self.shortTimeout)
        let body = try await response.body.collect(upTo: Self.statusLimit)
        return try JSONDecoder().decode(ClusterStatus.self, from: Data(body.readableBytesView))
    }

    /// Asks for an answer and hands out its pieces as they come; returns the whole of it.
    func chat(
        _ messages: [Message], model: String, temperature: Float?, maxTokens: Int?, seed: Int?,
        onText: (String) throws -> Void
    ) async throws -> String {
        var request = HTTPClientRequest(url: base + "/v1/chat/completions")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        let body = ChatRequest(
            model: model, messages: messages, temperature: temperature, maxTokens: maxTokens, seed: seed)
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        let response = try await execute(request, timeout: Self.answerTimeout)
        var answer = ""
        var line: [UInt8] = []
        for try await part in response.body {
            for byte in part.readableBytesView {
                guard byte == UInt8(ascii: "\n") else {
                    guard line.count < Self.lineLimit else {
                        throw CommandError("the gateway at \(base) sent an event of more than \(Self.lineLimit) bytes")
                    }
                    line.append(byte)
                    continue
                }
                if let piece = try text(ofEvent: line) {
                    answer += piece
                    try onText(piece)
                }
                line.removeAll(keepingCapacity: true)
            }
        }
        return answer
    }

    /// The text in one line of the event stream; nil for comments, empty lines and the end mark.
    private func text(ofEvent line: [UInt8]) throws -> String? {
        let prefix = Array("data: ".utf8)
        guard line.starts(with: prefix) else { return nil }
        let payload = Data(line.dropFirst(prefix.count))
        guard payload != Data("[DONE]".utf8), payload != Data("[DONE]\r".utf8) else { return nil }
        let chunk = try JSONDecoder().decode(Chunk.self, from: payload)
        if let error = chunk.error { throw CommandError(error.message) }
        return chunk.choices?.first?.delta?.content
    }

    private func execute(_ request: HTTPClientRequest, timeout: TimeAmount) async throws -> HTTPClientResponse {
        let response: HTTPClientResponse
        do {
            response = try await HTTPClient.shared.execute(request, timeout: timeout)
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
