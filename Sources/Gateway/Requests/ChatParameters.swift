import Inference

/// One message of a conversation.
struct ChatTurn: Hashable, Sendable {
    enum Role: String, Hashable, Sendable {
        case system, user, assistant, tool
    }

    var role: Role
    var content: String
    /// An assistant's calls of functions, as JSON.
    var toolCalls: String?
    /// In a system message: the functions that may be called, as JSON.
    var tools: String?
}

/// A request to `POST /v1/chat/completions`.
struct ChatParameters: Hashable, Sendable {
    var shared: SharedParameters
    var turns: [ChatTurn]
    /// Nil means up to the end of the context.
    var maxTokens: Int?
    /// Alternatives per token; nil for no log-probabilities.
    var logprobCount: Int?
    /// Functions that may be called; nil for none.
    var tools: ToolSet?

    static let maxMessageCount = 4096

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    init(_ body: JSONValue, configuration: GatewayConfiguration) throws {
        let fields = try RequestFields(body)
        shared = try SharedParameters(fields, configuration: configuration)
        turns = try Self.turns(fields)
        tools = try ToolSet(fields)
        let newer = try fields.integer("max_completion_tokens", 1...Int.max)
        let older = try fields.integer("max_tokens", 1...Int.max)
        if let newer, let older, newer != older {
            throw APIError.invalid("max_tokens", "'max_tokens' and 'max_completion_tokens' contradict each other.")
        }
        maxTokens = newer ?? older
        if try fields.bool("store") == true {
            throw APIError.invalid("store", "'store' is not supported in chat completions; use /v1/responses.")
        }
        if try fields.bool("echo") == true {
            throw APIError.invalid("echo", "'echo' is not supported in chat completions.")
        }
        let wantsLogprobs = try fields.bool("logprobs") ?? false
        let alternatives = try fields.integer("top_logprobs", 0...20)
        if let alternatives, alternatives > 0, !wantsLogprobs {
            throw APIError.invalid("top_logprobs", "'top_logprobs' is only allowed when 'logprobs' is true.")
        }
        logprobCount = wantsLogprobs ? alternatives ?? 0 : nil
    }

    static func turns(_ fields: RequestFields) throws -> [ChatTurn] {
        guard let messages = try fields.array("messages") else {
            throw APIError.invalid("messages", "'messages' is missing: give an array of messages.")
        }
        guard (1...maxMessageCount).contains(messages.count) else {
            throw APIError.invalid("messages", "'messages' must hold 1 to \(maxMessageCount) messages.")
        }
        return try messages.enumerated().map { index, message in
            try turn(message, path: "messages[\(index)]")
        }
    }

    private static func turn(_ message: JSONValue, path: String) throws -> ChatTurn {
        guard case .object(let object) = message else {
            throw APIError.invalid(path, "'\(path)' must be an object, but it is \(message.kind).")
        }
        let fields = RequestFields(object: object)
        guard case .string(let name)? = fields["role"] else {
            throw APIError.invalid("\(path).role", "'\(path).role' must be a string: system, user, assistant or tool.")
        }
        let role: ChatTurn.Role
        switch name {
        case "system", "developer": role = .system
        case "user": role = .user
        case "assistant": role = .assistant
        case "tool":
            role = .tool
            try ToolMessages.checkResult(fields, path: path)
        default:
            throw APIError.invalid(
                "\(path).role", "The role '\(name.prefix(32))' is not supported; use system, user, assistant or tool.")
        }
        for name in ["function_call", "audio"] where fields[name] != nil && fields[name] != [] {
            throw APIError.invalid("\(path).\(name)", "'\(path).\(name)' is not supported by this server.")
        }
        let calls = role == .assistant ? try ToolMessages.calls(fields, path: path) : nil
        // Who calls need not say anything.
        let isSilent = calls != nil && fields["content"] == nil
        let text = isSilent ? "" : try TextContent.text(fields["content"], path: "\(path).content", types: ["text"])
        return ChatTurn(role: role, content: text, toolCalls: calls)
    }
}
