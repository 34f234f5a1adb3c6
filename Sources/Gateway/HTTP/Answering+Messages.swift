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
        let style = codec.toolStyle
        let prompt = try codec.encode(chat: style.turns(guarded(parameters.turns), tools: parameters.tools))
        try AnswerJob.check(prompt: prompt, maxTokens: nil, model: model, parameter: "messages")
        try await check(parameters.turns)
        let job = try conversationJob(
            id: "msg_" + RandomName.make(), model: model, codec: codec, shared: parameters.shared, prompt: prompt,
            maxTokens: parameters.maxTokens, grammar: try parameters.tools?.gbnf(style, format: nil))
        let shape = MessageShape(
            job: job, isCutShort: job.maxTokens != parameters.maxTokens,
            toolMark: parameters.tools == nil ? nil : style.opening)
        return try await answer(job, shape: shape)
    }

    /// `POST /v1/messages/count_tokens`
    func countTokens(_ body: JSONValue, headers: HTTPFields) async throws -> Response {
        let parameters = try MessageParameters(body, headers: headers, countsOnly: true)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.shared.model, model)
        let turns = codec.toolStyle.turns(guarded(parameters.turns), tools: parameters.tools)
        let prompt = try codec.encode(chat: turns)
        return GatewayResponder.json(["input_tokens": JSONValue(prompt.count)])
    }
}
