import Inference

/// Answers of Anthropic's `POST /v1/messages` (https://docs.anthropic.com/en/api/messages-streaming).
struct MessageShape: AnswerShape {
    let job: AnswerJob
    /// Whether the context left less than the client allowed.
    let isCutShort: Bool
    /// Why the choice ended, as far as the stream got.
    private var told = ChoiceDelta()

    init(job: AnswerJob, isCutShort: Bool) {
        self.job = job
        self.isCutShort = isCutShort
    }

    var framing: StreamFraming { .namedEvents }

    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) -> JSONValue {
        message(
            content: [["type": "text", "text": .string(choices[0].text)]], ending: ending(choices[0]),
            usage: self.usage(usage))
    }

    func opening() -> [JSONValue] {
        // How many of the prompt's tokens were still there is known at the end.
        let usage = AnswerUsage(promptTokenCount: job.prompts[0].count)
        return [
            [
                "type": "message_start",
                "message": message(
                    content: [], ending: ["stop_reason": .null, "stop_sequence": .null], usage: self.usage(usage)),
            ],
            ["type": "content_block_start", "index": 0, "content_block": ["type": "text", "text": ""]],
            ["type": "ping"],
        ]
    }

    mutating func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue] {
        told.end = delta.end ?? told.end
        told.stopString = delta.stopString ?? told.stopString
        guard !delta.text.isEmpty else { return [] }
        return [
            [
                "type": "content_block_delta", "index": 0,
                "delta": ["type": "text_delta", "text": .string(delta.text)],
            ]
        ]
    }

    func closing(_ usage: AnswerUsage) -> [JSONValue] {
        [
            ["type": "content_block_stop", "index": 0],
            ["type": "message_delta", "delta": .object(ending(told)), "usage": self.usage(usage)],
            ["type": "message_stop"],
        ]
    }

    func failure(_ error: APIError) -> [JSONValue] { [error.body(.anthropic, requestID: nil)] }

    func keepAlive() -> JSONValue? { ["type": "ping"] }

    private func message(content: JSONValue, ending: JSONObject, usage: JSONValue) -> JSONValue {
        var object: JSONObject = [
            "id": .string(job.id), "type": "message", "role": "assistant", "model": .string(job.model.id),
            "content": content,
        ]
        object.members += ending.members
        object.append("usage", usage)
        return .object(object)
    }

    private func ending(_ answer: ChoiceDelta) -> JSONObject {
        let reason: JSONValue =
            switch answer.end {
            case .stop: answer.stopString == nil ? "end_turn" : "stop_sequence"
            case .contentFilter: "refusal"
            case .length: isCutShort ? "model_context_window_exceeded" : "max_tokens"
            case nil: .null
            }
        return ["stop_reason": reason, "stop_sequence": answer.stopString.map { .string($0) } ?? .null]
    }

    /// Anthropic counts tokens that were still there apart from the others.
    private func usage(_ usage: AnswerUsage) -> JSONValue {
        [
            "input_tokens": JSONValue(usage.promptTokenCount - usage.cachedTokenCount),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": JSONValue(usage.cachedTokenCount),
            "output_tokens": JSONValue(usage.completionTokenCount),
            "service_tier": "standard",
        ]
    }
}
