public import Tokenization

extension GGUFMetadata {
    /// Writes the keys of a tokenizer in the order of llama.cpp's converter.
    public mutating func set(_ tokenizer: GGUFTokenizerMetadata) {
        set("tokenizer.ggml.model", tokenizer.model)
        if let pre = tokenizer.pre { set("tokenizer.ggml.pre", pre) }
        set("tokenizer.ggml.tokens", tokenizer.tokens)
        if let scores = tokenizer.scores { set("tokenizer.ggml.scores", scores) }
        if let types = tokenizer.types { set("tokenizer.ggml.token_type", types) }
        if let merges = tokenizer.merges { set("tokenizer.ggml.merges", merges) }
        let ids: [(String, Int?)] = [
            ("bos", tokenizer.bosID), ("eos", tokenizer.eosID), ("unknown", tokenizer.unknownID),
            ("padding", tokenizer.padID), ("eot", tokenizer.eotID),
        ]
        for (name, id) in ids {
            if let id = id.flatMap(UInt32.init(exactly:)) { set("tokenizer.ggml.\(name)_token_id", id) }
        }
        if let flag = tokenizer.addsBOS { set("tokenizer.ggml.add_bos_token", flag) }
        if let flag = tokenizer.addsEOS { set("tokenizer.ggml.add_eos_token", flag) }
        if let flag = tokenizer.addsSpacePrefix { set("tokenizer.ggml.add_space_prefix", flag) }
        if let template = tokenizer.chatTemplate { set("tokenizer.chat_template", template) }
    }
}
