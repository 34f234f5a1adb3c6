import Inference

/// Answers of `POST /v1/chat/completions`.
struct ChatShape: AnswerShape {
    let job: AnswerJob

    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) -> JSONValue {
        let choices = choices.enumerated().map { index, choice in
            let object: JSONObject = [
                "index": JSONValue(index),
                "message": ["role": "assistant", "content": .string(choice.text), "refusal": .null],
                "logprobs": logprobs(choice.tokens),
                "finish_reason": choice.end.map { .string($0.rawValue) } ?? .null,
            ]
            return object.adding(tokenIDs: job.shared.returnsTokenIDs ? choice.tokens : nil)
        }
        var object = job.envelope(object: "chat.completion", choices: choices)
        object.append("usage", usage.json)
        return .object(object)
    }

    func opening() -> [JSONValue] {
        (0..<job.choiceCount).map { choice in
            chunk(choice: choice, delta: ["role": "assistant", "content": ""], logprobs: .null, end: nil, tokens: nil)
        }
    }

    func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue] {
        var chunks: [JSONValue] = []
        let listsTokens = job.logprobCount != nil || job.shared.returnsTokenIDs
        if !delta.text.isEmpty || listsTokens && !delta.tokens.isEmpty {
            chunks.append(
                chunk(
                    choice: choice, delta: ["content": .string(delta.text)], logprobs: logprobs(delta.tokens), end: nil,
                    tokens: delta.tokens))
        }
        if let end = delta.end {
            chunks.append(chunk(choice: choice, delta: [:], logprobs: .null, end: end, tokens: nil))
        }
        return chunks
    }

    func closing(_ usage: AnswerUsage) -> [JSONValue] { job.usageChunks(object: "chat.completion.chunk", usage) }

    private func chunk(
        choice: Int, delta: JSONValue, logprobs: JSONValue, end: ChoiceEnd?, tokens: [AnsweredToken]?
    ) -> JSONValue {
        let choice: JSONObject = [
            "index": JSONValue(choice),
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": end.map { .string($0.rawValue) } ?? .null,
        ]
        return job.chunkEnvelope(
            object: "chat.completion.chunk",
            choices: [choice.adding(tokenIDs: job.shared.returnsTokenIDs ? tokens : nil)])
    }

    private func logprobs(_ tokens: [AnsweredToken]) -> JSONValue {
        guard job.logprobCount != nil else { return .null }
        return ["content": .array(job.codec.logprobs(tokens)), "refusal": .null]
    }
}

extension JSONObject {
    /// The object with vLLM's `token_ids`, when they are wanted.
    fileprivate func adding(tokenIDs tokens: [AnsweredToken]?) -> JSONValue {
        guard let tokens else { return .object(self) }
        var object = self
        object.append("token_ids", .array(tokens.map { .integer(Int64($0.token)) }))
        return .object(object)
    }
}
