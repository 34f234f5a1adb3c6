import Inference

/// The model that the engine serves now, with the way between its tokens and text.
actor ServedModel {
    /// Makes a codec from the encoded definition of a tokenizer; throws when it is not one.
    typealias CodecLoader = @Sendable (_ definition: [UInt8], _ model: ModelDescription) throws -> any TextCodec

    private let engine: any Engine
    private let load: CodecLoader
    private var codecs: (hash: String, task: Task<any TextCodec, any Error>)?

    init(engine: any Engine, load: @escaping CodecLoader) {
        self.engine = engine
        self.load = load
    }

    /// The description; throws `EngineError` when the engine cannot be reached.
    nonisolated func description() async throws -> ModelDescription { try await engine.describe() }

    /// The description and the codec, which is fetched once per tokenizer.
    func current() async throws -> (model: ModelDescription, codec: any TextCodec) {
        let model = try await engine.describe()
        if let codecs, codecs.hash == model.tokenizerHash { return (model, try await codecs.task.value) }
        let task = Task { [engine, load] in
            try load(try await engine.tokenizerDefinition(hash: model.tokenizerHash), model)
        }
        codecs = (model.tokenizerHash, task)
        do {
            return (model, try await task.value)
        } catch {
            // The next request tries again.
            if codecs?.task == task { codecs = nil }
            throw error
        }
    }
}
