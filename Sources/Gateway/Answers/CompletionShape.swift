import Inference

/// Answers of `POST /v1/completions`.
struct CompletionShape: AnswerShape {
    let job: AnswerJob

    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) -> JSONValue {
        var object = job.envelope(
            object: "text_completion", choices: choices.enumerated().map { json($0.element, choice: $0.offset) })
        object.append("usage", usage.json)
        return .object(object)
    }

    func opening() -> [JSONValue] { [] }

    func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue] {
        let isShown = !delta.text.isEmpty || delta.end != nil || job.logprobCount != nil || job.shared.returnsTokenIDs
        return isShown ? [job.chunkEnvelope(object: "text_completion", choices: [json(delta, choice: choice)])] : []
    }

    func closing(_ usage: AnswerUsage) -> [JSONValue] { job.usageChunks(object: "text_completion", usage) }

    private func json(_ delta: ChoiceDelta, choice: Int) -> JSONValue {
        var object: JSONObject = [
            "index": JSONValue(choice),
            "text": .string(delta.text),
            "logprobs": job.logprobCount == nil ? .null : logprobs(delta.tokens),
            "finish_reason": delta.end.map { .string($0.rawValue) } ?? .null,
        ]
        if job.shared.returnsTokenIDs {
            object.append("token_ids", .array(delta.tokens.map { .integer(Int64($0.token)) }))
        }
        return .object(object)
    }

    private func logprobs(_ tokens: [AnsweredToken]) -> JSONValue {
        [
            "tokens": .array(tokens.map { .string(job.codec.name(of: $0.token)) }),
            "token_logprobs": .array(tokens.map { token in token.score.map { .logprob($0.logprob) } ?? .null }),
            "top_logprobs": .array(tokens.map { token in token.score.map(alternatives) ?? .null }),
            "text_offset": .array(tokens.map { JSONValue($0.textOffset) }),
        ]
    }

    /// The likeliest tokens by name, and the token itself, which OpenAI always lists too.
    ///
    /// Where two tokens have one name (a byte token and a letter, say) the likelier one is listed.
    private func alternatives(_ score: ScoredToken) -> JSONValue {
        var object = JSONObject(members: [])
        for alternative in score.top + [TokenLogprob(token: score.token, logprob: score.logprob)] {
            let name = job.codec.name(of: alternative.token)
            if object[name] == nil { object.append(name, .logprob(alternative.logprob)) }
        }
        return .object(object)
    }
}
