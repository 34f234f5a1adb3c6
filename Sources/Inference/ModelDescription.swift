/// What a gateway needs to know of the model that the engine serves.
public struct ModelDescription: Hashable, Sendable, Codable {
    /// The name that clients use (`--model-alias`).
    public var id: String
    /// The name that the checkpoint gives itself.
    public var name: String
    /// The content hash of the checkpoint.
    public var fingerprint: String
    /// Checkpoint, KV type, wire type and numerics version in one short string (`system_fingerprint`).
    public var systemFingerprint: String
    /// The most tokens, prompt and answer together, that a request may have.
    public var contextLength: Int
    public var vocabularySize: Int
    public var layerCount: Int
    public var parameterCount: Int
    /// Token ids that end an answer.
    public var endOfSequenceTokens: [Int32]
    /// The SHA-256 of the tokenizer's definition, in hexadecimal.
    public var tokenizerHash: String
    /// Seconds since 1970 at which the model was put to service.
    public var createdSeconds: Int
    /// The model card in Markdown, when the checkpoint has one.
    public var card: String?

    public init(
        id: String, name: String, fingerprint: String, systemFingerprint: String, contextLength: Int,
        vocabularySize: Int, layerCount: Int, parameterCount: Int, endOfSequenceTokens: [Int32],
        tokenizerHash: String, createdSeconds: Int, card: String?
    ) {
        self.id = id
        self.name = name
        self.fingerprint = fingerprint
        self.systemFingerprint = systemFingerprint
        self.contextLength = contextLength
        self.vocabularySize = vocabularySize
        self.layerCount = layerCount
        self.parameterCount = parameterCount
        self.endOfSequenceTokens = endOfSequenceTokens
        self.tokenizerHash = tokenizerHash
        self.createdSeconds = createdSeconds
        self.card = card
    }
}
