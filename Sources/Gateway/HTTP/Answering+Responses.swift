import Hummingbird
import Inference

/// OpenAI's responses.
extension Answering {
    /// `POST /v1/responses`
    func respond(_ body: JSONValue) async throws -> Response {
        let parameters = try ResponseParameters(body, configuration: configuration)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.shared.model, model)
        let (history, prompt) = try prompt(
            try await history(parameters.previousResponseID) + parameters.input, parameters, model: model, codec: codec)
        try await check((parameters.instructions.map { [ChatTurn(role: .system, content: $0)] } ?? []) + history)
        let style = codec.toolStyle
        let job = try conversationJob(
            id: "resp_" + RandomName.make(), model: model, codec: codec, shared: parameters.shared, prompt: prompt,
            maxTokens: parameters.maxOutputTokens, logprobCount: parameters.logprobCount,
            grammar: try parameters.tools?.gbnf(style, format: parameters.shared.format))
        let shape = ResponseShape(
            job: job, parameters: parameters, history: history, store: responses,
            toolMark: parameters.tools == nil ? nil : style.opening)
        return try await answer(job, shape: shape)
    }

    /// `GET /v1/responses/{id}`
    func response(_ id: String, query: Parameters) async throws -> Response {
        if let isStreamed = query["stream"], isStreamed != "false" {
            throw APIError.invalid("stream", "A stored response cannot be streamed again; leave 'stream' out.")
        }
        guard let stored = try await stored(id) else { throw Self.missing(id) }
        return GatewayResponder.json(stored.response)
    }

    /// `DELETE /v1/responses/{id}`
    func deleteResponse(_ id: String) async throws -> Response {
        guard try await responses.delete(id) else { throw Self.missing(id) }
        return GatewayResponder.json(["id": .string(id), "object": "response", "deleted": true])
    }

    private static func missing(_ id: String) -> APIError {
        APIError(
            .responseNotFound,
            "There is no response '\(id.prefix(128))': it was never stored, was deleted, or had to make room.",
            parameter: "id")
    }

    private func stored(_ id: String) async throws -> StoredResponse? {
        guard let record = try await responses.record(id) else { return nil }
        guard let stored = StoredResponse(encoded: record) else {
            throw EngineError(code: .internal, message: "The stored response '\(id.prefix(128))' is damaged.")
        }
        return stored
    }

    private func history(_ previousID: String?) async throws -> [ChatTurn] {
        guard let previousID else { return [] }
        guard let stored = try await stored(previousID) else {
            throw APIError(
                .previousResponseNotFound,
                "There is no response '\(previousID.prefix(128))' to go on from: it was never stored, was deleted, or "
                    + "had to make room. Send the whole conversation in 'input'.", parameter: "previous_response_id")
        }
        return stored.turns
    }

    /// The conversation and its tokens; with `truncation: auto` without as many of its oldest turns as must go.
    private func prompt(
        _ history: [ChatTurn], _ parameters: ResponseParameters, model: ModelDescription, codec: any TextCodec
    ) throws -> (history: [ChatTurn], prompt: [Int32]) {
        let opening = parameters.instructions.map { [ChatTurn(role: .system, content: $0)] } ?? []
        func encode(dropping count: Int) throws -> [Int32] {
            try codec.encode(
                chat: codec.toolStyle.turns(guarded(opening + history.dropFirst(count)), tools: parameters.tools))
        }
        var droppedCount = 0
        var prompt = try encode(dropping: 0)
        if parameters.isTruncated, prompt.count >= model.contextLength {
            // The fewest turns whose absence is enough; the last one stays.
            var (tooFew, enough) = (0, history.count - 1)
            while tooFew + 1 < enough {
                let middle = (tooFew + enough) / 2
                let isEnough = try encode(dropping: middle).count < model.contextLength
                if isEnough { enough = middle } else { tooFew = middle }
            }
            droppedCount = enough
            prompt = try encode(dropping: enough)
        }
        try AnswerJob.check(prompt: prompt, maxTokens: nil, model: model, parameter: "input")
        return (Array(history.dropFirst(droppedCount)), prompt)
    }
}
