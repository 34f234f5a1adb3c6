import Inference

/// What Ollama's `POST /api/chat` and `POST /api/generate` have in common.
struct OllamaParameters: Hashable, Sendable {
    var shared: SharedParameters
    /// The most tokens of the answer; nil means up to the end of the context.
    var maxTokens: Int?
    /// The most tokens, prompt and answer together, that the client wants (`num_ctx`).
    var contextLength: Int?
    /// Alternatives per token; nil for no log-probabilities.
    var logprobCount: Int?
    /// Whether the model is wanted out of memory when this is done (`keep_alive: 0`).
    var unloads: Bool

    static let maxStopCount = 32

    /// What cannot be honoured, with the values that ask for nothing special.
    private static let neutral: [String: [JSONValue]] = [
        "tools": [[]], "think": [false], "images": [[]], "suffix": [""], "template": [""],
        "truncate": [false], "shift": [false], "width": [0], "height": [0], "steps": [0],
    ]
    private static let neutralOptions: [String: [JSONValue]] = [
        "mirostat": [0], "tfs_z": [1, .double(1)], "typical_p": [1, .double(1)], "repeat_last_n": [-1, 0],
        "penalize_newline": [true], "embedding_only": [false], "vocab_only": [false],
    ]

    /// Reads the parameters; throws an `APIError` that names the first wrong one.
    ///
    /// Options about the machine (`num_thread`, `num_gpu` and the like) are the cluster's own business and ignored.
    init(_ fields: RequestFields) throws {
        try fields.refuse(otherThan: Self.neutral)
        let options = RequestFields(object: try fields.object("options") ?? [:])
        try options.refuse(otherThan: Self.neutralOptions)
        shared = SharedParameters(
            model: try Self.model(fields), sampling: try Self.sampling(options),
            seed: try SharedParameters.seed(options),
            stops: try SharedParameters.stops(options, maxCount: Self.maxStopCount),
            isStreamed: try fields.bool("stream") ?? true)
        shared.format = try AnswerFormat(ollama: fields)
        // Ollama writes "no limit" as -1 and -2.
        maxTokens = try options.integer("num_predict", -2...Int.max).flatMap { $0 > 0 ? $0 : nil }
        contextLength = try options.integer("num_ctx", 1...Int.max)
        let alternatives = try fields.integer("top_logprobs", 0...20)
        logprobCount = try fields.bool("logprobs") ?? false ? alternatives ?? 0 : nil
        switch fields["keep_alive"] {
        case nil: unloads = false
        case .string(let text)?: unloads = text == "0" || text == "0s"
        case let value?:
            guard let number = value.number else {
                throw fields.wrongType("keep_alive", value, "a number of seconds or a string such as 5m")
            }
            unloads = number == 0
        }
    }

    /// The model's name, which Ollama's clients may write with the tag `latest`.
    static func model(_ fields: RequestFields) throws -> String {
        guard let name = try fields.string("model") ?? fields.string("name"), !name.isEmpty else {
            throw APIError.invalid("model", "model is required")
        }
        let tag = ":latest"
        return name.hasSuffix(tag) ? String(name.dropLast(tag.count)) : name
    }

    /// Ollama's defaults, but for the repetition penalty, which is off.
    private static func sampling(_ options: RequestFields) throws -> SamplingParameters {
        let isWindowed = options["repeat_last_n"] == 0
        let repetition = try options.number("repeat_penalty", 0...100, above: true) ?? 1
        return SamplingParameters(
            temperature: try options.number("temperature", 0...2) ?? 0.8,
            topK: max(try options.integer("top_k", -1...Int(Int32.max)) ?? 40, 0),
            topP: try options.number("top_p", 0...1, above: true) ?? 0.9,
            minP: try options.number("min_p", 0...1) ?? 0,
            presencePenalty: try options.number("presence_penalty", -2...2) ?? 0,
            frequencyPenalty: try options.number("frequency_penalty", -2...2) ?? 0,
            repetitionPenalty: isWindowed ? 1 : repetition)
    }

    /// The model as far as the client wants its context.
    func limiting(_ model: ModelDescription) -> ModelDescription {
        var model = model
        model.contextLength = min(model.contextLength, contextLength ?? .max)
        return model
    }
}

/// A request to `POST /api/chat`.
struct OllamaChatParameters: Hashable, Sendable {
    var common: OllamaParameters
    /// Empty when the model is only to be loaded.
    var turns: [ChatTurn]

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    init(_ body: JSONValue) throws {
        let fields = try RequestFields(body)
        common = try OllamaParameters(fields)
        let messages = try fields.array("messages") ?? []
        guard messages.count <= ChatParameters.maxMessageCount else {
            throw APIError.invalid(
                "messages", "'messages' may hold at most \(ChatParameters.maxMessageCount) messages.")
        }
        turns = try messages.enumerated().map { index, message in try Self.turn(message, path: "messages[\(index)]") }
    }

    private static func turn(_ message: JSONValue, path: String) throws -> ChatTurn {
        guard case .object(let object) = message else {
            throw APIError.invalid(path, "'\(path)' must be an object, but it is \(message.kind).")
        }
        let fields = RequestFields(object: object)
        try fields.refuse(otherThan: ["images": [[]], "tool_calls": [[]], "tool_name": [""]])
        guard case .string(let name)? = fields["role"], let role = ChatTurn.Role(rawValue: name), role != .tool
        else {
            throw APIError.invalid("\(path).role", "'\(path).role' must be system, user or assistant.")
        }
        return ChatTurn(role: role, content: try fields.string("content") ?? "")
    }
}

/// A request to `POST /api/generate`.
struct OllamaGenerateParameters: Hashable, Sendable {
    var common: OllamaParameters
    /// Empty when the model is only to be loaded.
    var prompt: String
    var system: String?
    /// Whether the prompt goes to the model as it is, without its template.
    var isRaw: Bool
    /// Tokens of an earlier answer that this one goes on from.
    var context: [Int32]

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    init(_ body: JSONValue) throws {
        let fields = try RequestFields(body)
        common = try OllamaParameters(fields)
        prompt = try fields.string("prompt") ?? ""
        system = try fields.string("system").flatMap { $0.isEmpty ? nil : $0 }
        isRaw = try fields.bool("raw") ?? false
        context = try SharedParameters.tokens("context", try fields.array("context") ?? [])
        guard !isRaw || system == nil && context.isEmpty else {
            throw APIError.invalid("raw", "'raw' does not go with 'system' and 'context'.")
        }
    }
}
