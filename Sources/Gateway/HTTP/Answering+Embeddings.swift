import Hummingbird
import Inference

/// Embeddings.
extension Answering {
    /// `POST /v1/embeddings`
    func embed(_ body: JSONValue) async throws -> Response {
        let parameters = try EmbeddingParameters(body)
        let (embeddings, job, usage) = try await embeddings(parameters)
        return GatewayResponder.json(
            EmbeddingShape.list(embeddings, isBase64: parameters.isBase64, model: job.model, usage: usage))
    }

    /// `POST /api/embed`
    func ollamaEmbed(_ body: JSONValue) async throws -> Response {
        let start = ContinuousClock.now
        let (embeddings, job, usage) = try await embeddings(EmbeddingParameters(ollama: body, takesOne: false))
        return GatewayResponder.json([
            "model": .string(job.model.id),
            "embeddings": .array(embeddings.map(EmbeddingShape.numbers)),
            "total_duration": OllamaShape.nanoseconds((.now - start) / .milliseconds(1)),
            "load_duration": 0,
            "prompt_eval_count": JSONValue(usage.promptTokenCount),
        ])
    }

    /// `POST /api/embeddings`, which Ollama's older clients ask.
    func ollamaEmbedOne(_ body: JSONValue) async throws -> Response {
        let (embeddings, _, _) = try await embeddings(EmbeddingParameters(ollama: body, takesOne: true))
        return GatewayResponder.json(["embedding": EmbeddingShape.numbers(embeddings[0])])
    }

    private func embeddings(
        _ parameters: EmbeddingParameters
    ) async throws -> (embeddings: [[Float]], job: AnswerJob, usage: AnswerUsage) {
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.shared.model, model)
        if let count = parameters.dimensions, count != model.hiddenSize {
            throw APIError.invalid(
                "dimensions",
                "The embeddings of '\(model.id)' have \(model.hiddenSize) numbers and cannot be shortened; leave 'dimensions' "
                    + "out.")
        }
        let prompts = try parameters.inputs.map { input in
            switch input {
            case .text(let text):
                let tokens = try codec.encode(text, addingBeginning: true, parsingSpecial: false)
                return parameters.isTruncated ? Array(tokens.prefix(model.contextLength)) : tokens
            case .tokens(let tokens): return tokens
            }
        }
        for prompt in prompts {
            try AnswerJob.check(prompt: prompt, maxTokens: 0, model: model, parameter: parameters.name)
        }
        try await check(prompts.map { codec.decode($0) })
        let job = AnswerJob(
            id: "embd-" + RandomName.make(), createdSeconds: Self.now, model: model, codec: codec,
            shared: parameters.shared, prompts: prompts, maxTokens: 0, echoes: false, logprobCount: nil,
            continuesText: false, listsEndToken: false, timeoutMilliseconds: configuration.requestTimeoutMilliseconds,
            wantsEmbedding: true, client: client(parameters.shared), key: identity.key)
        let (choices, usage) = try await collect(try await run(job), job: job)
        return (try choices.map { try EmbeddingShape.normalized($0.embedding) }, job, usage)
    }
}
