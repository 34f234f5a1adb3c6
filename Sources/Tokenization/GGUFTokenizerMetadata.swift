/// The `tokenizer.*` keys of a GGUF file, as plain values.
public struct GGUFTokenizerMetadata: Sendable {
    /// `tokenizer.ggml.model`: "llama" or "gpt2".
    public var model: String
    /// `tokenizer.ggml.pre`, the name of the pre-tokenizer.
    public var pre: String?
    /// `tokenizer.ggml.tokens`.
    public var tokens: [[UInt8]]
    /// `tokenizer.ggml.scores`; needed for "llama".
    public var scores: [Float]?
    /// `tokenizer.ggml.token_type`; all normal when absent.
    public var types: [Int32]?
    /// `tokenizer.ggml.merges`; needed for "gpt2".
    public var merges: [[UInt8]]?
    /// `tokenizer.ggml.bos_token_id`.
    public var bosID: Int?
    /// `tokenizer.ggml.eos_token_id`.
    public var eosID: Int?
    /// `tokenizer.ggml.unknown_token_id`.
    public var unknownID: Int?
    /// `tokenizer.ggml.padding_token_id`.
    public var padID: Int?
    /// `tokenizer.ggml.eot_token_id`.
    public var eotID: Int?
    /// `tokenizer.ggml.add_bos_token`.
    public var addsBOS: Bool?
    /// `tokenizer.ggml.add_eos_token`.
    public var addsEOS: Bool?
    /// `tokenizer.ggml.add_space_prefix`.
    public var addsSpacePrefix: Bool?
    /// `tokenizer.chat_template`.
    public var chatTemplate: String?

    /// Everything but model and tokens may be absent.
    public init(
        model: String, pre: String? = nil, tokens: [[UInt8]], scores: [Float]? = nil, types: [Int32]? = nil,
        merges: [[UInt8]]? = nil, bosID: Int? = nil, eosID: Int? = nil, unknownID: Int? = nil, padID: Int? = nil,
        eotID: Int? = nil, addsBOS: Bool? = nil, addsEOS: Bool? = nil, addsSpacePrefix: Bool? = nil,
        chatTemplate: String? = nil
    ) {
        self.model = model
        self.pre = pre
        self.tokens = tokens
        self.scores = scores
        self.types = types
        self.merges = merges
        self.bosID = bosID
        self.eosID = eosID
        self.unknownID = unknownID
        self.padID = padID
        self.eotID = eotID
        self.addsBOS = addsBOS
        self.addsEOS = addsEOS
        self.addsSpacePrefix = addsSpacePrefix
        self.chatTemplate = chatTemplate
    }
}
