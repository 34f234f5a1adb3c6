/// What the small files beside a Hugging Face tokenizer say: `tokenizer_config.json`, `special_tokens_map.json`,
/// `added_tokens.json` and `chat_template.jinja`.
struct HuggingFaceSettings {
    typealias AddedToken = TokenizerDefinition.AddedToken

    /// `added_tokens_decoder`: the authority on ids and flags where it exists.
    var decoderTokens: [AddedToken] = []
    /// `added_tokens.json`: ids without flags.
    var listedTokens: [AddedToken] = []
    var addsBOS: Bool?
    var addsEOS: Bool?
    var bos: [UInt8]?
    var eos: [UInt8]?
    var unknown: [UInt8]?
    var pad: [UInt8]?
    var chatTemplate: String?

    init(
        tokenizerConfig: [UInt8]?, specialTokensMap: [UInt8]?, addedTokens: [UInt8]?, chatTemplate: [UInt8]?
    ) throws(TokenizerError) {
        if let specialTokensMap {
            try readRoles(JSONValue(specialTokensMap, file: "special_tokens_map.json"))
        }
        if let tokenizerConfig { try read(config: JSONValue(tokenizerConfig, file: "tokenizer_config.json")) }
        if let addedTokens {
            for (content, id) in try JSONValue(addedTokens, file: "added_tokens.json").members {
                guard let id = id.id else {
                    throw TokenizerError(
                        .malformed, "added_tokens.json: \(String(decoding: content, as: UTF8.self)) has no token id")
                }
                listedTokens.append(AddedToken(id: id, content: content))
            }
        }
        if let chatTemplate {
            guard let text = String(validating: chatTemplate, as: UTF8.self) else {
                throw TokenizerError(.malformed, "chat_template.jinja is not UTF-8")
            }
            self.chatTemplate = text
        }
    }

    private mutating func read(config: JSONValue) throws(TokenizerError) {
        readRoles(config)
        addsBOS = config["add_bos_token"]?.bool
        addsEOS = config["add_eos_token"]?.bool
        for (key, value) in config["added_tokens_decoder"]?.members ?? [] {
            guard let id = Int32(String(decoding: key, as: UTF8.self)), id >= 0, id < TokenizerLimits.pieceCount else {
                throw TokenizerError(
                    .malformed,
                    "tokenizer_config.json, added_tokens_decoder: \"\(String(decoding: key, as: UTF8.self))\" is no "
                        + "token id")
            }
            decoderTokens.append(try AddedToken(id: id, flags: value, file: "tokenizer_config.json"))
        }
        switch config["chat_template"] {
        case .string(let text): chatTemplate = String(decoding: text, as: UTF8.self)
        case .array(let named):
            let template = named.first { $0["name"]?.text == "default" } ?? named.first
            chatTemplate = template?["template"]?.text
        default: break
        }
    }

    private mutating func readRoles(_ file: JSONValue) {
        func content(_ key: String) -> [UInt8]? { file[key]?.bytes ?? file[key]?["content"]?.bytes }
        bos = content("bos_token") ?? bos
        eos = content("eos_token") ?? eos
        unknown = content("unk_token") ?? unknown
        pad = content("pad_token") ?? pad
    }

    /// The added tokens of all files; later ones know better.
    func addedTokens(over base: [AddedToken]) -> (tokens: [AddedToken], haveFlags: Bool) {
        var byID: [Int32: AddedToken] = [:]
        for token in base { byID[token.id] = token }
        let roles = [bos, eos, unknown, pad].compactMap { $0 }
        for token in listedTokens where byID[token.id]?.content != token.content {
            var token = token
            // The file has no flags. Everything the family adds this way is structure.
            token.isSpecial = roles.contains(token.content) || token.content.starts(with: "<|".utf8)
            byID[token.id] = token
        }
        for token in decoderTokens { byID[token.id] = token }
        return (byID.values.sorted { $0.id < $1.id }, !decoderTokens.isEmpty)
    }
}

extension TokenizerDefinition.AddedToken {
    /// A token without flags.
    init(id: Int32, content: [UInt8], isSpecial: Bool = false) {
        self.init(
            id: id, content: content, isSpecial: isSpecial, stripsLeft: false, stripsRight: false,
            isSingleWord: false, isNormalized: false)
    }

    /// A token as the files of the `tokenizers` library describe it.
    init(id: Int32, flags: JSONValue, file: String) throws(TokenizerError) {
        guard let content = flags["content"]?.bytes else {
            throw TokenizerError(.malformed, "\(file): added token \(id) has no content")
        }
        self.init(
            id: id, content: content, isSpecial: flags["special"]?.bool ?? false,
            stripsLeft: flags["lstrip"]?.bool ?? false, stripsRight: flags["rstrip"]?.bool ?? false,
            isSingleWord: flags["single_word"]?.bool ?? false, isNormalized: flags["normalized"]?.bool ?? false)
    }
}
