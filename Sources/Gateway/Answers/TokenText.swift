import Inference

extension TextCodec {
    /// A token as a string in lists of log-probabilities.
    ///
    /// Bytes that are no valid UTF-8 by themselves are written as OpenAI did: `bytes:\xf0\x9f`.
    func name(of token: Int32) -> String {
        let bytes = bytes(of: token)
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return "bytes:"
            + bytes.map { byte in
                let digits = String(byte, radix: 16)
                return "\\x" + (digits.count == 1 ? "0" + digits : digits)
            }.joined()
    }

    /// The scored ones of the tokens with their alternatives: `{"token", "logprob", "bytes", "top_logprobs"}`.
    func logprobs(_ tokens: [AnsweredToken]) -> [JSONValue] {
        tokens.compactMap { token in
            guard let score = token.score else { return nil }
            var object = entry(TokenLogprob(token: score.token, logprob: score.logprob))
            object.append("top_logprobs", .array(score.top.map { .object(entry($0)) }))
            return .object(object)
        }
    }

    private func entry(_ alternative: TokenLogprob) -> JSONObject {
        [
            "token": .string(name(of: alternative.token)),
            "logprob": .logprob(alternative.logprob),
            "bytes": .array(bytes(of: alternative.token).map { .integer(Int64($0)) }),
        ]
    }
}

extension JSONValue {
    /// A log-probability. Minus infinity becomes -9999, as JSON cannot write it and OpenAI and vLLM do so.
    static func logprob(_ value: Float) -> JSONValue { .single(value.isFinite ? max(value, -9999) : -9999) }
}
