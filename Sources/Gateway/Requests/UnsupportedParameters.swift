/// Parameters that would change what an answer means and that this server does not honour.
///
/// They are refused, unless their value says what happens anyway. Parameters that no API documents are ignored, as in
/// vLLM and llama.cpp.
enum UnsupportedParameters {
    /// Values that ask for nothing special.
    private static let neutral: [String: [JSONValue]] = [
        "functions": [[]],
        "function_call": ["none", "auto"],
        "modalities": [["text"]],
        "audio": [],
        "prediction": [],
        "reasoning_effort": ["none"],
        "verbosity": ["medium"],
        "web_search_options": [],
        "moderation": [],
        // Prompts that begin alike share their keys and values anyway, for as long as there is room.
        "prompt_cache_options": [["mode": "implicit"]],
        "prompt_cache_retention": ["in_memory"],
        "suffix": [""],
        "use_beam_search": [false],
        "length_penalty": [.integer(1), .double(1)],
        "early_stopping": [false],
        "min_tokens": [.integer(0)],
        "include_stop_str_in_output": [false],
        "skip_special_tokens": [true],
        "truncate_prompt_tokens": [],
        "prompt_logprobs": [],
        "allowed_token_ids": [],
        "bad_words": [[]],
        "chat_template": [],
        "chat_template_kwargs": [[:]],
        "add_generation_prompt": [true],
        "continue_final_message": [false],
        "documents": [[]],
    ]

    /// Throws an `APIError` that names the first parameter, in alphabetical order, that cannot be honoured.
    static func check(_ fields: RequestFields) throws {
        try fields.refuse(otherThan: neutral)
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral {
    init(stringLiteral value: String) { self = .string(value) }

    init(integerLiteral value: Int64) { self = .integer(value) }

    init(booleanLiteral value: Bool) { self = .bool(value) }
}
