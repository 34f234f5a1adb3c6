import Inference

/// A request to `POST /v1/completions`.
struct CompletionParameters: Hashable, Sendable {
    enum Prompt: Hashable, Sendable {
        case text(String)
        case tokens([Int32])
    }

    var shared: SharedParameters
    var prompts: [Prompt]
    /// Nil when the client did not say; then it is 16 or what the context leaves.
    var maxTokens: Int?
    var echoes: Bool
    /// Alternatives per token; nil for no log-probabilities.
    var logprobCount: Int?
    /// vLLM's extension: whether a text prompt gets the tokenizer's beginning-of-sequence token.
    var addsSpecialTokens: Bool

    /// OpenAI's default.
    static let defaultMaxTokens = 16
    /// OpenAI allows 5; evaluation tools ask for more.
    static let maxLogprobCount = 20

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    init(_ body: JSONValue, configuration: GatewayConfiguration) throws {
        let fields = try RequestFields(body)
        shared = try SharedParameters(fields, configuration: configuration)
        prompts = try Self.prompts(fields, "prompt", limit: configuration.maxPromptCount)
        guard prompts.count * shared.choiceCount <= configuration.maxPromptCount else {
            throw APIError.invalid(
                "n", "Prompts times 'n' may be at most \(configuration.maxPromptCount) in one request.")
        }
        maxTokens = try fields.integer("max_tokens", 0...Int.max)
        echoes = try fields.bool("echo") ?? false
        logprobCount = try fields.integer("logprobs", 0...Self.maxLogprobCount)
        addsSpecialTokens = try fields.bool("add_special_tokens") ?? true
    }

    /// One or several prompts of a parameter, as text or as token ids.
    static func prompts(_ fields: RequestFields, _ name: String, limit: Int) throws -> [Prompt] {
        guard let value = fields[name] else {
            throw APIError.invalid(name, "'\(name)' is missing: give a string, token ids, or an array of either.")
        }
        if case .string(let text) = value { return [.text(text)] }
        guard case .array(let values) = value else {
            throw fields.wrongType(name, value, "a string, token ids, or an array of either")
        }
        guard let first = values.first else { throw APIError.invalid(name, "'\(name)' must not be empty.") }
        if first.number != nil { return [.tokens(try SharedParameters.tokens(name, values))] }
        guard values.count <= limit else {
            throw APIError.invalid(
                name, "'\(name)' may hold at most \(limit) entries, but it holds \(values.count).")
        }
        return try values.map { value in
            switch (first, value) {
            case (.string, .string(let text)): return .text(text)
            case (.array, .array(let tokens)): return .tokens(try SharedParameters.tokens(name, tokens))
            default:
                throw APIError.invalid(name, "'\(name)' must hold strings only, or arrays of token ids only.")
            }
        }
    }
}
