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
    /// Functions that may be called; nil for none.
    var tools: ToolSet?
    /// What the request says about tools and format, for the response to repeat.
    var told: JSONObject

    /// What cannot be honoured, with the values that ask for nothing special.
    private static let neutral: [String: [JSONValue]] = [
        "n": [.integer(1)],
        "best_of": [.integer(1)],
        "background": [false],
        "background_options": [],
        "conversation": [],
        "context_management": [[]],
        "prompt": [],
        "reasoning": [[:], ["effort": "none"]],
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
        tools = try ToolSet(fields, .response)
        if let text = try fields.object("text") {
            try RequestFields(object: text).refuse(otherThan: ["verbosity": ["medium"]])
        }
        shared.format = try AnswerFormat(response: fields) ?? shared.format
        told = try Self.told(fields)
        let truncation = try fields.string("truncation") ?? "disabled"
        guard ["auto", "disabled"].contains(truncation) else {
            throw APIError.invalid("truncation", "'truncation' must be auto or disabled.")
        }
        isTruncated = truncation == "auto"
        logprobCount = try Self.logprobCount(fields)
        guard tools == nil || logprobCount == nil else {
            throw APIError.invalid("top_logprobs", "Log-probabilities together with 'tools' are not supported.")
        }
    }

    private static func told(_ fields: RequestFields) throws -> JSONObject {
        let format = try fields.object("text").flatMap { $0["format"] } ?? ["type": "text"]
        return [
            "parallel_tool_calls": .bool(try fields.bool("parallel_tool_calls") ?? true),
            "text": ["format": format, "verbosity": "medium"],
            "tool_choice": fields["tool_choice"] ?? "auto",
            "tools": fields["tools"] ?? [],
        ]
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
        return try ResponseItems.turns(items, path: "input")
    }
}
