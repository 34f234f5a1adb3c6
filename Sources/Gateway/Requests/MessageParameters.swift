import HTTPTypes
import Inference

/// A request to Anthropic's `POST /v1/messages`, or to count its tokens.
struct MessageParameters: Hashable, Sendable {
    var shared: SharedParameters
    var turns: [ChatTurn]
    /// The most tokens of the answer; what the context leaves may be less.
    var maxTokens: Int
    /// Functions that may be called; nil for none.
    var tools: ToolSet?

    /// The first version of the API with these shapes (header `anthropic-version`); later ones are newer dates.
    static let firstVersion = "2023-06-01"
    static let maxStopCount = 32

    /// What cannot be honoured, with the values that ask for nothing special.
    private static let neutral: [String: [JSONValue]] = [
        "thinking": [["type": "disabled"]],
        "service_tier": ["auto", "standard_only"],
        "speed": ["standard"],
        "container": [],
        "mcp_servers": [[]],
        "context_management": [],
        "output_config": [[:]],
        "output_format": [],
        "inference_geo": [],
        "diagnostics": [],
        "workspace_id": [],
        "user_profile_id": [],
    ]

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    ///
    /// - Parameter countsOnly: Whether only the prompt's tokens are wanted, and `max_tokens` is not needed.
    init(_ body: JSONValue, headers: HTTPFields, countsOnly: Bool = false) throws {
        try Self.checkVersion(headers)
        let fields = try RequestFields(body)
        try fields.refuse(otherThan: Self.neutral)
        guard let model = try fields.string("model") else {
            throw APIError.invalid("model", "model: Field required.")
        }
        _ = try fields.array("stop_sequences")
        shared = SharedParameters(
            model: model,
            sampling: SamplingParameters(
                temperature: try fields.number("temperature", 0...1) ?? 1,
                topK: try fields.integer("top_k", 0...Int(Int32.max)) ?? 0,
                topP: try fields.number("top_p", 0...1, above: true) ?? 1, minP: 0, presencePenalty: 0,
                frequencyPenalty: 0, repetitionPenalty: 1, logitBias: []),
            stops: try SharedParameters.stops(fields, "stop_sequences", maxCount: Self.maxStopCount),
            isStreamed: try fields.bool("stream") ?? false)
        if let metadata = try fields.object("metadata") {
            shared.labels.user = try RequestFields(object: metadata).string("user_id")
        }
        let limit = try fields.integer("max_tokens", 1...Int.max)
        guard let limit = countsOnly ? limit ?? 1 : limit else {
            throw APIError.invalid("max_tokens", "max_tokens: Field required.")
        }
        maxTokens = limit
        turns = try Self.system(fields) + Self.turns(fields)
        tools = try ToolSet(fields, .message)
    }

    private static func checkVersion(_ headers: HTTPFields) throws {
        guard let name = HTTPField.Name("anthropic-version"), let version = headers[name] else { return }
        let isDate = version.utf8.count == 10 && version.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2D }
        guard isDate, version >= firstVersion else {
            throw APIError.invalid(
                "anthropic-version", "anthropic-version: must be \(firstVersion) or a later version of the API.")
        }
    }

    private static func system(_ fields: RequestFields) throws -> [ChatTurn] {
        guard let value = fields["system"] else { return [] }
        return [ChatTurn(role: .system, content: try TextContent.text(value, path: "system", types: ["text"]))]
    }

    private static func turns(_ fields: RequestFields) throws -> [ChatTurn] {
        guard let messages = try fields.array("messages") else {
            throw APIError.invalid("messages", "messages: Field required.")
        }
        guard (1...ChatParameters.maxMessageCount).contains(messages.count) else {
            throw APIError.invalid("messages", "'messages' must hold 1 to \(ChatParameters.maxMessageCount) messages.")
        }
        let turns = try messages.enumerated().flatMap { index, message in
            try self.turns(message, path: "messages.\(index)")
        }
        guard turns.last?.role != .assistant else {
            throw APIError.invalid(
                "messages", "messages: the last message must be the user's; answers cannot be begun for the model.")
        }
        return turns
    }

    private static func turns(_ message: JSONValue, path: String) throws -> [ChatTurn] {
        guard case .object(let object) = message else {
            throw APIError.invalid(path, "'\(path)' must be an object, but it is \(message.kind).")
        }
        let fields = RequestFields(object: object)
        guard case .string(let name)? = fields["role"], let role = ChatTurn.Role(rawValue: name), role != .tool
        else {
            throw APIError.invalid("\(path).role", "'\(path).role' must be user, assistant or system.")
        }
        return try MessageContent.turns(fields["content"], role: role, path: "\(path).content")
    }
}
