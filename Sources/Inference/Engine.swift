/// Something that continues token sequences: the coordinator itself, or the same over the network.
public protocol Engine: Sendable {
    /// The served model. Throws `EngineError` (`unavailable`) when the engine cannot be reached.
    func describe() async throws -> ModelDescription

    /// The encoded definition of the tokenizer with this SHA-256 (hexadecimal).
    func tokenizerDefinition(hash: String) async throws -> [UInt8]

    func status() async throws -> ClusterStatus

    /// The name of the client that has an API key; nil when no keys were made, so that anybody may ask.
    ///
    /// Throws `EngineError` (`unauthenticated`) when there are keys and this is none of them.
    func authorize(_ key: KeyHash?) async throws -> String?

    /// Checks the request, queues it and returns its events. Throws `EngineError` when it is refused.
    func generate(_ request: GenerationRequest) async throws -> GenerationStream
}
