import Inference
import Testing

@testable import Gateway

/// Every parameter that OpenAI documents for its two kinds of completions: what is accepted, what is refused.
struct ParameterTableTests {
    /// A parameter with values that are honoured (or ask for nothing special) and values that are not.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let accepted: [String]
        let refused: [String]
        /// Other members that the values need.
        var others = ""
        /// What the error names, when that is not the parameter.
        var blamed: String?

        var testDescription: String { name }
    }

    private static let shared = [
        Row(name: "frequency_penalty", accepted: ["0", "2", "-2"], refused: ["2.5", #""x""#]),
        Row(name: "logit_bias", accepted: ["{}", #"{"5": -100}"#], refused: [#"{"5": 101}"#, #"{"x": 1}"#, "[]"]),
        Row(name: "max_tokens", accepted: ["1", "20"], refused: ["-1", "1.5", #""x""#]),
        Row(name: "model", accepted: [#""toy""#, #""""#], refused: ["1"]),
        Row(name: "n", accepted: ["1", "3"], refused: ["0", "129", #""x""#]),
        Row(name: "presence_penalty", accepted: ["0", "-2"], refused: ["-3", "true"]),
        Row(name: "seed", accepted: ["0", "-1", "9223372036854775807"], refused: ["1.5", #""x""#]),
        Row(
            name: "stop", accepted: [#""x""#, #"["a", "b", "c", "d"]"#, "[]"],
            refused: [#"["a","b","c","d","e"]"#, "1"]),
        Row(name: "stream", accepted: ["true", "false"], refused: ["1"]),
        Row(
            name: "stream_options", accepted: ["{}", #"{"include_usage": true}"#, #"{"include_obfuscation": false}"#],
            refused: ["1"], others: #", "stream": true"#),
        Row(
            name: "stream_options", accepted: [], refused: [#"{"include_obfuscation": true}"#],
            others: #", "stream": true"#, blamed: "stream_options.include_obfuscation"),
        Row(name: "stream_options", accepted: [], refused: ["{}"]),
        Row(name: "temperature", accepted: ["0", "2"], refused: ["2.1", "-0.1"]),
        Row(name: "top_p", accepted: ["1", "0.1"], refused: ["0", "1.1"]),
        Row(name: "user", accepted: [#""u""#], refused: ["1"]),
    ]

    private static let completion = [
        Row(name: "best_of", accepted: ["1"], refused: ["2", "0"]),
        Row(name: "echo", accepted: ["true", "false"], refused: ["1"]),
        Row(name: "logprobs", accepted: ["0", "5"], refused: ["21", "true"]),
        Row(name: "prompt", accepted: [#""y""#, "[1]", "[[1]]", #"["y"]"#], refused: ["1", "[]", #"[""]"#]),
        Row(name: "suffix", accepted: [#""""#], refused: [#""y""#]),
    ]

    private static let chat = [
        Row(name: "audio", accepted: [], refused: [#"{"voice": "alloy", "format": "wav"}"#]),
        Row(name: "function_call", accepted: [#""none""#, #""auto""#], refused: [#"{"name": "f"}"#]),
        Row(name: "functions", accepted: ["[]"], refused: [#"[{"name": "f"}]"#]),
        Row(name: "logprobs", accepted: ["true", "false"], refused: ["1"]),
        Row(name: "max_completion_tokens", accepted: ["1"], refused: ["0", #""x""#]),
        Row(name: "messages", accepted: [#"[{"role": "user", "content": "y"}]"#], refused: ["[]", "1"]),
        Row(name: "metadata", accepted: ["{}", #"{"a": "b"}"#], refused: [#"{"a": 1}"#, "[]"]),
        Row(name: "modalities", accepted: [#"["text"]"#], refused: [#"["text", "audio"]"#]),
        Row(name: "moderation", accepted: [], refused: ["{}"]),
        Row(name: "parallel_tool_calls", accepted: ["true", "false"], refused: ["1"]),
        Row(name: "prediction", accepted: [], refused: [#"{"type": "content", "content": "x"}"#]),
        Row(name: "prompt_cache_key", accepted: [#""k""#], refused: ["1"]),
        Row(name: "prompt_cache_options", accepted: [#"{"mode": "implicit"}"#], refused: [#"{"mode": "explicit"}"#]),
        Row(name: "prompt_cache_retention", accepted: [#""in_memory""#], refused: [#""24h""#]),
        Row(name: "reasoning_effort", accepted: [#""none""#], refused: [#""low""#, #""high""#]),
        Row(
            name: "response_format", accepted: [#"{"type": "text"}"#, #"{"type": "json_object"}"#],
            refused: ["1", #""json_object""#]),
        Row(name: "safety_identifier", accepted: [#""i""#], refused: ["1"]),
        Row(name: "service_tier", accepted: [#""auto""#, #""default""#], refused: [#""flex""#, #""priority""#, "1"]),
        Row(name: "store", accepted: ["false"], refused: ["true", "1"]),
        Row(
            name: "tool_choice", accepted: [#""none""#, #""auto""#, #""required""#],
            refused: ["1", #""any""#, #"{"type": "function", "function": {"name": "g"}}"#],
            others: #", "tools": [{"type": "function", "function": {"name": "f"}}]"#),
        Row(
            name: "tools", accepted: ["[]", #"[{"type": "function", "function": {"name": "f"}}]"#],
            refused: ["1", "{}"]),
        Row(name: "top_logprobs", accepted: ["0", "20"], refused: ["21"], others: #", "logprobs": true"#),
        Row(name: "top_logprobs", accepted: [], refused: ["1"]),
        Row(name: "verbosity", accepted: [#""medium""#], refused: [#""low""#, #""high""#]),
        Row(name: "web_search_options", accepted: [], refused: ["{}"]),
    ]

    @Test(arguments: shared + completion) func `completions`(row: Row) async throws {
        try await check(row, path: "/v1/completions", needed: (name: "prompt", value: #""x""#))
    }

    @Test(arguments: shared + chat) func `chat completions`(row: Row) async throws {
        try await check(
            row, path: "/v1/chat/completions", needed: (name: "messages", value: #"[{"role": "user", "content": "x"}]"#)
        )
    }

    private func check(_ row: Row, path: String, needed: (name: String, value: String)) async throws {
        @Sendable func body(_ value: String) -> String {
            let rest = row.name == needed.name ? "" : ", \"\(needed.name)\": \(needed.value)"
            return "{\"\(row.name)\": \(value)\(row.others)\(rest)}"
        }
        try await withGateway { client in
            for value in row.accepted + (row.name == needed.name ? [] : ["null"]) {
                let answer = try await client.post(path, body(value))
                #expect(answer.code == 200, "\(value): \(answer.text)")
            }
            for value in row.refused {
                let answer = try await client.post(path, body(value))
                #expect(answer.code == 400, "\(value): \(answer.text)")
                #expect(try answer.json()["error"]["param"].text == row.blamed ?? row.name, "\(value): \(answer.text)")
            }
        }
    }
}
