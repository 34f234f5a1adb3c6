import Inference

/// A request to `POST /v1/embeddings`, or to Ollama's `POST /api/embed` and `POST /api/embeddings`.
struct EmbeddingParameters: Hashable, Sendable {
    var shared: SharedParameters
    var inputs: [CompletionParameters.Prompt]
    /// Whether embeddings are told as their float32 bytes, little-endian, in base64.
    var isBase64 = false
    /// How many numbers the client wants; nil for as many as there are.
    var dimensions: Int?
    /// Whether an input that the context is too small for is cut.
    var isTruncated = false
    /// The field that holds the inputs.
    let name: String

    /// OpenAI's limit.
    static let maxInputCount = 2048

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    init(_ body: JSONValue) throws {
        let fields = try RequestFields(body)
        try fields.refuse(otherThan: ["truncate_prompt_tokens": []])
        name = "input"
        shared = Self.shared(model: try fields.string("model").flatMap { $0.isEmpty ? nil : $0 })
        shared.labels = try ClientLabels(fields)
        shared.priority = try fields.integer("priority", Int(Int32.min)...Int(Int32.max)) ?? 0
        inputs = try CompletionParameters.prompts(fields, name, limit: Self.maxInputCount)
        dimensions = try fields.integer("dimensions", 1...Int.max)
        switch try fields.string("encoding_format") {
        case nil, "float"?: break
        case "base64"?: isBase64 = true
        default: throw APIError.invalid("encoding_format", "'encoding_format' must be float or base64.")
        }
        try requireTexts()
    }

    /// Reads a request to one of Ollama's routes.
    ///
    /// - Parameter takesOne: Whether it is the older route, with one `prompt`.
    init(ollama body: JSONValue, takesOne: Bool) throws {
        let fields = try RequestFields(body)
        name = takesOne ? "prompt" : "input"
        shared = Self.shared(model: try OllamaParameters.model(fields))
        if takesOne {
            inputs = [.text(try fields.string(name) ?? "")]
        } else {
            inputs = try CompletionParameters.prompts(fields, name, limit: Self.maxInputCount)
            guard inputs.allSatisfy({ if case .text = $0 { true } else { false } }) else {
                throw APIError.invalid(name, "'\(name)' must be a string or an array of strings.")
            }
            dimensions = try fields.integer("dimensions", 0...Int.max).flatMap { $0 > 0 ? $0 : nil }
        }
        isTruncated = try fields.bool("truncate") ?? true
        try requireTexts()
    }

    private static func shared(model: String?) -> SharedParameters {
        SharedParameters(model: model, sampling: SamplingParameters(), stops: [], isStreamed: false)
    }

    private func requireTexts() throws {
        guard !inputs.contains(.text("")) else {
            throw APIError.invalid(name, "'\(name)' must not hold an empty text.")
        }
    }
}
