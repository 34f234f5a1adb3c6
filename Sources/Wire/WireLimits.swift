/// What a peer may ask this process to believe. Counts are checked while a message is read.
public enum WireLimits {
    /// Every message but an activation.
    public static let messageByteCount = 16 << 20
    /// An activation's rows together.
    public static let rowsByteCount = 1 << 30
    /// An activation's header.
    public static let headerByteCount = 16 << 20
    /// Names of nodes, requests, models; hosts, hashes.
    public static let nameByteCount = 1024
    public static let pathByteCount = 4096
    /// Texts for people. Longer ones are cut by the sender.
    public static let textByteCount = 64 << 10
    /// A model card.
    public static let cardByteCount = 1 << 20
    /// Token ids in a list.
    public static let tokenCount = 1 << 22
    /// Alternatives of a token.
    public static let alternativeCount = 1024
    /// A grammar's text.
    public static let grammarByteCount = 1 << 20
    /// Words of a mask over the vocabulary.
    public static let maskWordCount = 1 << 16
    public static let logitBiasCount = 1 << 16
    /// Choices of a request.
    public static let choiceCount = 1 << 16
    /// Slices, admissions, or retired sequences of a step.
    public static let sliceCount = 1 << 16
    /// Pages of an assignment, and assignments of a slice.
    public static let pageCount = 1 << 20
    public static let rowCount = 1 << 20
    public static let hiddenSize = 1 << 20
    public static let layerCount = 1 << 16
    public static let workerCount = 1 << 16
    /// Workers that another may fetch weights from.
    public static let peerCount = 64
    /// A manifest of weights, and one chunk of it.
    public static let manifestByteCount = 64 << 20
    public static let manifestChunkByteCount = 1 << 20
    /// Files of a checkpoint, and the bytes that are read from one at a time.
    public static let weightFileCount = 10_000
    public static let weightReadByteCount = 16 << 20
    /// A certificate, a request for one, or a token's part; and the certificates of a chain.
    public static let certificateByteCount = 8192
    public static let certificateCount = 8
    /// A tokenizer's definition, and one chunk of it.
    public static let tokenizerByteCount = 256 << 20
    public static let tokenizerChunkByteCount = 1 << 20
    /// Prompt scores in one message.
    public static let scoredTokenCount = 1 << 20
}
