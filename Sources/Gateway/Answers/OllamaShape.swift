import Foundation
import Inference

/// Answers of Ollama's `POST /api/chat` and `POST /api/generate`
/// (https://github.com/ollama/ollama/blob/main/docs/api.md).
struct OllamaShape: AnswerShape {
    enum Kind: Hashable, Sendable {
        case chat, generate
    }

    private let job: AnswerJob
    private let kind: Kind
    private let start = ContinuousClock.now
    /// Tokens of the answer so far, and why it ended.
    private var tokens: [Int32] = []
    private var end: ChoiceEnd?

    init(job: AnswerJob, kind: Kind) {
        self.job = job
        self.kind = kind
    }

    var framing: StreamFraming { .lines }

    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) -> JSONValue {
        var shape = self
        shape.note(choices[0])
        return shape.last(choices[0], usage)
    }

    func opening() -> [JSONValue] { [] }

    mutating func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue] {
        note(delta)
        guard !delta.text.isEmpty || job.logprobCount != nil && !delta.tokens.isEmpty else { return [] }
        return [.object(object(delta, isDone: false))]
    }

    func closing(_ usage: AnswerUsage) -> [JSONValue] { [last(ChoiceDelta(), usage)] }

    func failure(_ error: APIError) -> [JSONValue] { [error.body(.ollama, requestID: nil)] }

    func keepAlive() -> JSONValue? { .object(object(ChoiceDelta(), isDone: false)) }

    /// The answer to a request for nothing but a loaded model.
    static func loaded(_ model: ModelDescription, kind: Kind) -> JSONValue {
        var object = envelope(model, text: "", kind: kind)
        object.append("done", true)
        object.append("done_reason", "load")
        return .object(object)
    }

    private mutating func note(_ delta: ChoiceDelta) {
        if kind == .generate { tokens += delta.tokens.map(\.token) }
        end = delta.end ?? end
    }

    private static func envelope(_ model: ModelDescription, text: String, kind: Kind) -> JSONObject {
        let text = JSONValue.string(text)
        let member: JSONObject =
            switch kind {
            case .chat: ["message": ["role": "assistant", "content": text]]
            case .generate: ["response": text]
            }
        let object: JSONObject = [
            "model": .string(model.id), "created_at": .string(OllamaModelShape.time(.now)),
        ]
        return JSONObject(members: object.members + member.members)
    }

    private func object(_ delta: ChoiceDelta, isDone: Bool) -> JSONObject {
        var object = Self.envelope(job.model, text: delta.text, kind: kind)
        object.append("done", .bool(isDone))
        if job.logprobCount != nil, !delta.tokens.isEmpty {
            let shown = delta.tokens.filter { !job.model.endOfSequenceTokens.contains($0.token) }
            object.append("logprobs", .array(job.codec.logprobs(shown)))
        }
        return object
    }

    private func last(_ delta: ChoiceDelta, _ usage: AnswerUsage) -> JSONValue {
        var object = object(delta, isDone: true)
        object.append("done_reason", .string((end ?? .stop).rawValue))
        if kind == .generate {
            object.append("context", .array((job.prompts[0] + tokens).map { .integer(Int64($0)) }))
        }
        object.append("total_duration", Self.nanoseconds((.now - start) / .milliseconds(1)))
        object.append("load_duration", 0)
        object.append("prompt_eval_count", JSONValue(usage.promptTokenCount))
        object.append("prompt_eval_duration", Self.nanoseconds(usage.prefillMilliseconds))
        object.append("eval_count", JSONValue(usage.completionTokenCount))
        object.append("eval_duration", Self.nanoseconds(usage.decodeMilliseconds))
        return .object(object)
    }

    static func nanoseconds(_ milliseconds: Double) -> JSONValue {
        .integer(Int64(exactly: (milliseconds * 1e6).rounded()) ?? 0)
    }
}
