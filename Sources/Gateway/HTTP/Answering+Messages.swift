import HTTPTypes
import Hummingbird
import Inference

/// Anthropic's messages.
extension Answering {
    /// `POST /v1/messages`
    func message(_ body: JSONValue, headers: HTTPFields) async throws -> Response {
        let parameters = try MessageParameters(body, headers: headers)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.shared.model, model)
        let prompt = try codec.encode(chat: guarded(parameters.turns))
        try AnswerJob.check(prompt: prompt, maxTokens: nil, model: model, parameter: "messages")
        try await check(parameters.turns)
        let job = try conversationJob(
            id: "msg_" + RandomName.make(), model: model, codec: codec, shared: parameters.shared, prompt: prompt,
            maxTokens: parameters.maxTokens)
        return try await answer(job, shape: MessageShape(job: job, isCutShort: job.maxTokens != parameters.maxTokens))
    }

    /// `POST /v1/messages/count_tokens`
    func countTokens(_ body: JSONValue, headers: HTTPFields) async throws -> Response {
        let parameters = try MessageParameters(body, headers: headers, countsOnly: true)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.shared.model, model)
        let prompt = try codec.encode(chat: guarded(parameters.turns))
        return GatewayResponder.json(["input_tokens": JSONValue(prompt.count)])
    }
}
