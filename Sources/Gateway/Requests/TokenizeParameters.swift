/// A request to `POST /tokenize`, in vLLM's words (`prompt` or `messages`) or llama.cpp's (`content`).
struct TokenizeParameters: Hashable, Sendable {
    enum Source: Hashable, Sendable {
        case text(String, addingBeginning: Bool, parsingSpecial: Bool)
        case turns([ChatTurn])
    }

    var model: String?
    var source: Source
    /// llama.cpp's extension: each token with its text.
    var hasPieces: Bool
    /// vLLM's extension: the tokens as strings beside their ids.
    var returnsStrings: Bool

    private static let neutral: [String: [JSONValue]] = [
        "add_generation_prompt": [true], "continue_final_message": [false], "chat_template": [],
        "chat_template_kwargs": [[:]], "tools": [[]], "mm_processor_kwargs": [[:]],
    ]

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    init(_ body: JSONValue) throws {
        let fields = try RequestFields(body)
        try fields.refuse(otherThan: Self.neutral)
        model = try fields.string("model").flatMap { $0.isEmpty ? nil : $0 }
        let given = ["content", "prompt", "messages"].filter { fields[$0] != nil }
        guard given.count == 1 else {
            throw APIError.invalid(
                given.count > 1 ? given[1] : "prompt", "Give one of 'prompt', 'content' and 'messages'.")
        }
        let isParsed = try fields.bool("parse_special") ?? true
        if let text = try fields.string("content") {
            source = .text(
                text, addingBeginning: try fields.bool("add_special") ?? false, parsingSpecial: isParsed)
        } else if let text = try fields.string("prompt") {
            source = .text(
                text, addingBeginning: try fields.bool("add_special_tokens") ?? true, parsingSpecial: isParsed)
        } else {
            source = .turns(try ChatParameters.turns(fields))
        }
        hasPieces = try fields.bool("with_pieces") ?? false
        returnsStrings = try fields.bool("return_token_strs") ?? false
    }
}

/// A request to `POST /detokenize`.
struct DetokenizeParameters: Hashable, Sendable {
    var model: String?
    var tokens: [Int32]

    /// Reads a request's body; throws an `APIError` that names the first wrong parameter.
    init(_ body: JSONValue) throws {
        let fields = try RequestFields(body)
        model = try fields.string("model").flatMap { $0.isEmpty ? nil : $0 }
        guard let values = try fields.array("tokens") else {
            throw APIError.invalid("tokens", "'tokens' is missing: give an array of token ids.")
        }
        tokens = try SharedParameters.tokens("tokens", values)
    }
}
