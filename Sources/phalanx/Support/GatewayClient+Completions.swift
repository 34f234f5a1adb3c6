import AsyncHTTPClient
import Bench
import Foundation
import NIOCore

/// What every OpenAI-compatible server has, ours or another.
extension GatewayClient {
    /// How many tokens a completion took.
    struct CompletionUsage: Decodable {
        struct Details: Decodable {
            let cachedTokens: Int?

            enum CodingKeys: String, CodingKey { case cachedTokens = "cached_tokens" }
        }

        let promptTokens: Int
        let completionTokens: Int
        let details: Details?

        enum CodingKeys: String, CodingKey {
            case promptTokens = "prompt_tokens"
            case completionTokens = "completion_tokens"
            case details = "prompt_tokens_details"
        }
    }

    private struct CompletionRequest: Encodable {
        let model: String
        let prompt: LoadPlan.Prompt
        let maxTokens: Int

        private enum Keys: String, CodingKey {
            case model, prompt, temperature, stream
            case maxTokens = "max_tokens"
            case ignoresEnd = "ignore_eos"
            case streamOptions = "stream_options"
            case returnsTokens = "return_token_ids"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(model, forKey: .model)
            switch prompt {
            case .tokens(let tokens): try container.encode(tokens, forKey: .prompt)
            case .text(let text): try container.encode(text, forKey: .prompt)
            }
            try container.encode(maxTokens, forKey: .maxTokens)
            try container.encode(0, forKey: .temperature)
            // Extensions of vLLM: the answer has exactly as many tokens as asked for, and a token without text of its own
            // is a piece like any other.
            try container.encode(true, forKey: .ignoresEnd)
            try container.encode(true, forKey: .returnsTokens)
            try container.encode(true, forKey: .stream)
            try container.encode(["include_usage": true], forKey: .streamOptions)
        }
    }

    private struct CompletionChunk: Decodable {
        struct Choice: Decodable {
            let text: String?
            let tokens: [Int32]?

            enum CodingKeys: String, CodingKey {
                case text
                case tokens = "token_ids"
            }

            var isEmpty: Bool { (text ?? "").isEmpty && (tokens ?? []).isEmpty }
        }

        let choices: [Choice]?
        let usage: CompletionUsage?
        let error: Failure?
    }

    private struct ModelList: Decodable {
        struct Model: Decodable {
            let id: String
        }
        let data: [Model]
    }

    /// The name of the first model that the server lists.
    func servedModel() async throws -> String {
        let response = try await execute(HTTPClientRequest(url: base + "/v1/models"), timeout: Self.shortTimeout)
        let body = try await response.body.collect(upTo: Self.statusLimit)
        let list = try? JSONDecoder().decode(ModelList.self, from: Data(body.readableBytesView))
        guard let model = list?.data.first else {
            throw CommandError("the server at \(base) lists no model at /v1/models; name one with --model")
        }
        return model.id
    }

    /// Streams the likeliest continuation of a prompt.
    ///
    /// - Parameter onPiece: Called as each piece of the answer comes.
    /// - Returns: What the server says that it took; nil when it does not say.
    func complete(
        _ prompt: LoadPlan.Prompt, model: String, maxTokens: Int, onPiece: () -> Void
    ) async throws -> CompletionUsage? {
        let request = CompletionRequest(model: model, prompt: prompt, maxTokens: maxTokens)
        let response = try await post(request, to: "/v1/completions")
        var usage: CompletionUsage?
        try await ServerEvents(body: response.body, address: base).forEach { event in
            let chunk = try JSONDecoder().decode(CompletionChunk.self, from: event)
            if let error = chunk.error { throw CommandError(error.message) }
            if let choice = chunk.choices?.first, !choice.isEmpty { onPiece() }
            usage = chunk.usage ?? usage
        }
        return usage
    }
}
