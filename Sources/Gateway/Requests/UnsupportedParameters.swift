/// Parameters that would change what an answer means and that this server does not honour.
///
/// They are refused, unless their value says what happens anyway. All other unknown parameters are ignored, as vLLM
/// and llama.cpp do: `metadata`, `store`, `service_tier` and the like change nothing in the answer.
enum UnsupportedParameters {
    /// Values that ask for nothing special.
    private static let neutral: [String: [JSONValue]] = [
        "tools": [[]],
        "tool_choice": ["none", "auto"],
        "functions": [[]],
        "function_call": ["none", "auto"],
        "response_format": [["type": "text"]],
        "modalities": [["text"]],
        "audio": [],
        "prediction": [],
        "reasoning_effort": ["none"],
        "verbosity": ["medium"],
        "web_search_options": [],
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
        "guided_json": [],
        "guided_regex": [],
        "guided_choice": [],
        "guided_grammar": [],
        "structured_outputs": [],
        "grammar": [],
        "json_schema": [],
        "chat_template": [],
        "chat_template_kwargs": [[:]],
        "add_generation_prompt": [true],
        "continue_final_message": [false],
        "documents": [[]],
    ]

    /// Throws an `APIError` that names the first parameter, in alphabetical order, that cannot be honoured.
    static func check(_ fields: RequestFields) throws {
        for name in fields.names.sorted() {
            guard let accepted = neutral[name], let value = fields[name], !accepted.contains(value) else { continue }
            throw APIError.invalid(name, "'\(name)' is not supported by this server; leave it out.")
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    init(stringLiteral value: String) { self = .string(value) }

    init(booleanLiteral value: Bool) { self = .bool(value) }
}
