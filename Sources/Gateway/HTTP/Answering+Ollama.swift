import Hummingbird
import Inference

/// Ollama's routes that take a body.
extension Answering {
    /// `POST /api/chat`
    func ollamaChat(_ body: JSONValue) async throws -> Response {
        let parameters = try OllamaChatParameters(body)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.common.shared.model, model)
        guard !parameters.turns.isEmpty else { return try loaded(parameters.common, model, kind: .chat) }
        let prompt = try codec.encode(chat: guarded(parameters.turns))
        try await check(parameters.turns)
        return try await ollamaAnswer(parameters.common, model, codec, prompt: prompt, named: "messages", kind: .chat)
    }

    /// `POST /api/generate`
    func ollamaGenerate(_ body: JSONValue) async throws -> Response {
        let parameters = try OllamaGenerateParameters(body)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.common.shared.model, model)
        guard !parameters.prompt.isEmpty else { return try loaded(parameters.common, model, kind: .generate) }
        try AnswerJob.check(tokens: parameters.context, model: model, parameter: "context")
        try await check(
            [
                parameters.system ?? "", parameters.context.isEmpty ? "" : codec.decode(parameters.context),
                parameters.prompt,
            ].filter { !$0.isEmpty })
        let prompt: [Int32]
        if parameters.isRaw {
            prompt = try codec.encode(parameters.prompt, addingBeginning: true, parsingSpecial: true)
        } else {
            let system = parameters.system.map { [ChatTurn(role: .system, content: $0)] } ?? []
            let turns = try codec.encode(
                chat: guarded(system + [ChatTurn(role: .user, content: parameters.prompt)]))
            prompt = try parameters.context + Self.continuation(of: parameters.context, turns, codec)
        }
        return try await ollamaAnswer(
            parameters.common, model, codec, prompt: prompt, named: "prompt", kind: .generate,
            continuesText: parameters.isRaw)
    }

    /// `POST /api/show`
    func ollamaShow(_ body: JSONValue) async throws -> Response {
        let name = try OllamaParameters.model(try RequestFields(body))
        let model = try await model.description()
        try ModelShape.check(name, model)
        return GatewayResponder.json(OllamaModelShape.details(model))
    }

    private func ollamaAnswer(
        _ parameters: OllamaParameters, _ model: ModelDescription, _ codec: any TextCodec, prompt: [Int32],
        named name: String, kind: OllamaShape.Kind, continuesText: Bool = false
    ) async throws -> Response {
        let limited = parameters.limiting(model)
        try AnswerJob.check(prompt: prompt, maxTokens: nil, model: limited, parameter: name)
        let job = try conversationJob(
            id: "ollama-" + RandomName.make(), model: limited, codec: codec, shared: parameters.shared, prompt: prompt,
            maxTokens: parameters.maxTokens, logprobCount: parameters.logprobCount, continuesText: continuesText,
            listsEndToken: true)
        return try await answer(job, shape: OllamaShape(job: job, kind: kind))
    }

    /// The answer to a request for nothing, with which clients have a model loaded. It always is.
    private func loaded(
        _ parameters: OllamaParameters, _ model: ModelDescription, kind: OllamaShape.Kind
    ) throws -> Response {
        guard !parameters.unloads else {
            throw APIError.invalid("keep_alive", "The model cannot be unloaded: it stays as long as the cluster runs.")
        }
        return GatewayResponder.json(OllamaShape.loaded(model, kind: kind))
    }

    /// Tokens that follow others: without the beginning-of-sequence token.
    private static func continuation(
        of context: [Int32], _ tokens: [Int32], _ codec: any TextCodec
    ) throws -> [Int32] {
        let beginning = try codec.encode("", addingBeginning: true, parsingSpecial: false)
        return !context.isEmpty && tokens.starts(with: beginning) ? Array(tokens.dropFirst(beginning.count)) : tokens
    }
}
