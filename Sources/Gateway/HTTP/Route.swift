import Foundation
import HTTPTypes

/// Whose API a route belongs to: errors are told in its shape.
enum APIFace: Hashable, Sendable {
    case openAI, anthropic, ollama

    /// The API that a path without a route looks like.
    init(path: String) {
        self = path.hasPrefix("/api/") ? .ollama : path.hasPrefix("/v1/messages") ? .anthropic : .openAI
    }
}

/// Everything that the gateway can be asked for, as `openapi.json` lists it.
enum Route: CaseIterable, Hashable, Sendable {
    case root
    case models, model, completions, chatCompletions, tokenize, detokenize, tokenizerInfo
    case createResponse, response, deleteResponse
    case messages, countMessageTokens
    case embeddings, ollamaEmbed, ollamaEmbedOne
    case ollamaChat, ollamaGenerate, ollamaTags, ollamaShow, ollamaRunning, ollamaVersion
    case health, healthAlias, readiness, status, metrics, openAPI

    var method: HTTPRequest.Method {
        switch self {
        case .completions, .chatCompletions, .tokenize, .detokenize, .createResponse, .messages, .countMessageTokens,
            .ollamaChat, .ollamaGenerate, .ollamaShow, .embeddings, .ollamaEmbed, .ollamaEmbedOne:
            .post
        case .deleteResponse: .delete
        case .root, .models, .model, .tokenizerInfo, .response, .ollamaTags, .ollamaRunning, .ollamaVersion, .health,
            .healthAlias,
            .readiness, .status, .metrics, .openAPI:
            .get
        }
    }

    /// The path; `{id}` at the end stands for anything that is not empty.
    var path: String {
        switch self {
        case .root: "/"
        case .models: "/v1/models"
        case .model: "/v1/models/{id}"
        case .completions: "/v1/completions"
        case .chatCompletions: "/v1/chat/completions"
        case .tokenize: "/tokenize"
        case .detokenize: "/detokenize"
        case .tokenizerInfo: "/tokenizer_info"
        case .createResponse: "/v1/responses"
        case .response, .deleteResponse: "/v1/responses/{id}"
        case .messages: "/v1/messages"
        case .countMessageTokens: "/v1/messages/count_tokens"
        case .embeddings: "/v1/embeddings"
        case .ollamaEmbed: "/api/embed"
        case .ollamaEmbedOne: "/api/embeddings"
        case .ollamaChat: "/api/chat"
        case .ollamaGenerate: "/api/generate"
        case .ollamaTags: "/api/tags"
        case .ollamaShow: "/api/show"
        case .ollamaRunning: "/api/ps"
        case .ollamaVersion: "/api/version"
        case .health: "/healthz"
        case .healthAlias: "/health"
        case .readiness: "/readyz"
        case .status: "/status"
        case .metrics: "/metrics"
        case .openAPI: "/openapi.json"
        }
    }

    /// Whether nobody needs a key for it, so that probes and browsers come as far as they must.
    var isOpen: Bool {
        switch self {
        case .root, .health, .healthAlias, .readiness: true
        default: false
        }
    }

    /// What is at a path: its routes by method, and what stands in the place of `{id}`.
    struct Match: Sendable {
        let routes: [Route]
        let id: String

        /// The route of a method; a HEAD request is answered like GET.
        func route(_ method: HTTPRequest.Method) -> Route? {
            routes.first { $0.method == (method == .head ? .get : method) }
        }

        /// The value of the header `Allow`.
        var allowed: String {
            routes.flatMap { $0.method == .get ? ["GET", "HEAD"] : [$0.method.rawValue] }.joined(separator: ", ")
        }
    }

    /// The routes at a path; nil when there is nothing. One slash at the end makes no difference.
    static func match(_ path: String) -> Match? {
        let path = path.utf8.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        if let routes = plain[path] { return Match(routes: routes, id: "") }
        for (prefix, routes) in prefixes where path.hasPrefix(prefix) {
            // Names of models may have slashes in them.
            guard let id = path.dropFirst(prefix.count).removingPercentEncoding, !id.isEmpty else { return nil }
            return Match(routes: routes, id: id)
        }
        return nil
    }

    private static let plain = Dictionary(grouping: allCases.filter { !$0.path.hasSuffix("{id}") }, by: \.path)
    private static let prefixes = Dictionary(
        grouping: allCases.filter { $0.path.hasSuffix("{id}") }, by: { String($0.path.dropLast("{id}".count)) })
}
