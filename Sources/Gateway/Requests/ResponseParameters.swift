import Inference

/// A request to `POST /v1/responses`.
struct ResponseParameters: Hashable, Sendable {
    var shared: SharedParameters
    /// Come first, and do not carry over to the next response.
    var instructions: String?
    var input: [ChatTurn]
    var previousResponseID: String?
    var isStored: Bool
    /// The most tokens of the answer; what the context leaves may be less.
    var maxOutputTokens: Int?
    /// Alternatives per token; nil for no log-probabilities.
    var logprobCount: Int?
    /// Whether the oldest messages may be dropped when the context is too small.
    var isTruncated: Bool
    var maxToolCalls: Int?

    /// What cannot be honoured, with the values that ask for nothing special.
    private static let neutral: [String: [JSONValue]] = [
        "n": [.integer(1)],
        "best_of": [.integer(1)],
        "background": [false],
        "background_options": [],
        "conversation": [],
        "tools": [[]],
        "tool_choice": ["none", "auto"],
        "context_management": [[]],
        "prompt": [],
        "reasoning": [[:], ["effort": "none"]],
        "text": [
            [:], ["format": ["type": "text"]], ["verbosity": "medium"],
            ["format": ["type": "text"], "verbosity": "medium"],
        ],
        "access_programs": [],
        "image": [],
    ]
    private static let includable = ["message.output_text.logprobs", "reasoning.encrypted_content"]

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    init(_ body: JSONValue, configuration: GatewayConfiguration) throws {
        let fields = try RequestFields(body)
        try fields.refuse(otherThan: Self.neutral)
        shared = try SharedParameters(fields, configuration: configuration)
        instructions = try fields.string("instructions")
        input = try Self.input(fields)
        previousResponseID = try fields.string("previous_response_id")
        isStored = try fields.bool("store") ?? true
        maxOutputTokens = try fields.integer("max_output_tokens", 1...Int.max)
        maxToolCalls = try fields.integer("max_tool_calls", 1...Int.max)
        _ = try fields.bool("parallel_tool_calls")
        let truncation = try fields.string("truncation") ?? "disabled"
        guard ["auto", "disabled"].contains(truncation) else {
            throw APIError.invalid("truncation", "'truncation' must be auto or disabled.")
        }
        isTruncated = truncation == "auto"
        logprobCount = try Self.logprobCount(fields)
    }

    private static func logprobCount(_ fields: RequestFields) throws -> Int? {
        var isIncluded = false
        for value in try fields.array("include") ?? [] {
            guard case .string(let name) = value, includable.contains(name) else {
                throw APIError.invalid(
                    "include", "'include' may only hold \(includable.joined(separator: " and ")) on this server.")
            }
            if name == includable[0] { isIncluded = true }
        }
        let count = try fields.integer("top_logprobs", 0...20)
        return isIncluded || count ?? 0 > 0 ? count ?? 0 : nil
    }

    private static func input(_ fields: RequestFields) throws -> [ChatTurn] {
        guard let value = fields["input"] else {
            throw APIError.invalid("input", "'input' is missing: give a string or an array of messages.")
        }
        if case .string(let text) = value { return [ChatTurn(role: .user, content: text)] }
        guard case .array(let items) = value else {
            throw fields.wrongType("input", value, "a string or an array of messages")
        }
        guard (1...ChatParameters.maxMessageCount).contains(items.count) else {
            throw APIError.invalid("input", "'input' must hold 1 to \(ChatParameters.maxMessageCount) messages.")
        }
        return try items.enumerated().map { index, item in try turn(item, path: "input[\(index)]") }
    }

    private static func turn(_ item: JSONValue, path: String) throws -> ChatTurn {
        guard case .object(let object) = item else {
            throw APIError.invalid(path, "'\(path)' must be an object, but it is \(item.kind).")
        }
        let fields = RequestFields(object: object)
        if let type = fields["type"], type != "message" {
            throw APIError.invalid("\(path).type", "Only items of type 'message' are supported by this server.")
        }
        guard case .string(let name)? = fields["role"] else {
            throw APIError.invalid("\(path).role", "'\(path).role' must be a string: system, user or assistant.")
        }
        let role: ChatTurn.Role
        switch name {
        case "system", "developer": role = .system
        case "user": role = .user
        case "assistant": role = .assistant
        default:
            throw APIError.invalid(
                "\(path).role", "The role '\(name.prefix(32))' is not supported; use system, user or assistant.")
        }
        let content = try TextContent.text(
            fields["content"], path: "\(path).content", types: ["input_text", "output_text", "text"])
        return ChatTurn(role: role, content: content)
    }
}
