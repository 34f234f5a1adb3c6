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
    /// The computation graph, "phi3"; empty when unknown.
    public var architecture: String
    /// The weights' types, the most frequent first: "Q8_0 x 37, F32 x 13"; empty when unknown.
    public var quantization: String
    /// Bytes of all weights as they are in the checkpoint.
    public var weightByteCount: Int
    /// The licence that the checkpoint names, such as "mit".
    public var license: String?
    /// Numbers of a row of hidden state, and so of an embedding; 0 when unknown.
    public var hiddenSize: Int

    public init(
        id: String, name: String, fingerprint: String, systemFingerprint: String, contextLength: Int,
        vocabularySize: Int, layerCount: Int, parameterCount: Int, endOfSequenceTokens: [Int32],
        tokenizerHash: String, createdSeconds: Int, card: String?, architecture: String = "",
        quantization: String = "", weightByteCount: Int = 0, license: String? = nil,
        hiddenSize: Int = 0
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
        self.architecture = architecture
        self.quantization = quantization
        self.weightByteCount = weightByteCount
        self.license = license
        self.hiddenSize = hiddenSize
    }
}
