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
}

extension JSONValue {
    /// A log-probability. Minus infinity becomes -9999, as JSON cannot write it and OpenAI and vLLM do so.
    static func logprob(_ value: Float) -> JSONValue { .single(value.isFinite ? max(value, -9999) : -9999) }
}
