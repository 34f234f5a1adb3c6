import Foundation

/// The tokens that end an answer.
///
/// Checkpoints disagree about them: `config.json` names one, `generation_config.json` more, a GGUF file one again, and
/// the chat template ends turns with yet another. Answers end at any of them.
enum EndOfSequence {
    /// Tokens that end a turn or a text in the chat templates of the family.
    private static let enders: Set<String> = ["<|end|>", "<|endoftext|>", "<|im_end|>"]
    /// The generation configurations of Phi-3 and Phi-3.5 list this one too; a GGUF file has lost them.
    private static let phi3Ender = "<|assistant|>"

    /// The end tokens of a GGUF file.
    static func ids(gguf: GGUFFile) throws(CheckpointError) -> [Int] {
        var ids: Set<Int> = []
        for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
            if let id = try gguf.tokenID("tokenizer.ggml.\(key)") { ids.insert(id) }
        }
        let isSentencePiece = try gguf.string("tokenizer.ggml.model") == "llama"
        let types = try gguf.integers("tokenizer.ggml.token_type") ?? []
        let tokens = try gguf.byteStrings("tokenizer.ggml.tokens") ?? []
        // Only few tokens look like these, so texts are made for those alone.
        for (id, bytes) in tokens.enumerated() where bytes.starts(with: "<|".utf8) {
            let text = String(decoding: bytes, as: UTF8.self)
            // ggml's token types: 3 is a control token, 4 one that the user defined.
            guard !types.indices.contains(id) || types[id] == 3 || types[id] == 4 else { continue }
            if enders.contains(text) || (isSentencePiece && text == phi3Ender) { ids.insert(id) }
        }
        return ids.sorted()
    }

    /// The end tokens of a Hugging Face directory.
    static func ids(
        configuration: JSONValue, directory: URL
    ) throws(CheckpointError) -> [Int] {
        var ids: Set<Int> = []
        let generationPath = directory.appendingPathComponent("generation_config.json").path
        let generation = try TextFile.json(generationPath)
        for (source, path) in [
            (configuration, directory.appendingPathComponent("config.json").path), (generation, generationPath),
        ] {
            guard let value = source?["eos_token_id"] else { continue }
            let list: [JSONValue] = if case .array(let elements) = value { elements } else { [value] }
            for element in list {
                guard let id = element.integer else {
                    throw .malformed(path, "'eos_token_id' must be a token id or a list of them")
                }
                ids.insert(id)
            }
        }
        for (text, id) in try addedTokens(directory: directory) where enders.contains(text) { ids.insert(id) }
        return ids.sorted()
    }

    /// Texts and ids of the tokens that were added to the vocabulary.
    private static func addedTokens(directory: URL) throws(CheckpointError) -> [(text: String, id: Int)] {
        var tokens: [(text: String, id: Int)] = []
        let added = try TextFile.json(directory.appendingPathComponent("added_tokens.json").path)
        if case .object(let members) = added {
            for (text, id) in members { if let id = id.integer { tokens.append((text, id)) } }
        }
        let settings = try TextFile.json(directory.appendingPathComponent("tokenizer_config.json").path)
        if case .object(let members) = settings?["added_tokens_decoder"] {
            for (id, token) in members {
                if let id = Int(id), let text = token["content"]?.text { tokens.append((text, id)) }
            }
        }
        guard tokens.isEmpty else { return tokens }
        struct Tokenizer: Decodable {
            struct Token: Decodable {
                let id: Int
                let content: String
            }
            // swift-format-ignore: AlwaysUseLowerCamelCase
            let added_tokens: [Token]?
        }
        let tokenizer = try TextFile.json(
            directory.appendingPathComponent("tokenizer.json").path, as: Tokenizer.self,
            limit: TextFile.tokenizerLimit)
        return (tokenizer?.added_tokens ?? []).map { ($0.content, $0.id) }
    }
}
