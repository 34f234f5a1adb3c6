extension TokenizerDefinition {
    /// The `tokenizer.*` keys of a GGUF file for this tokenizer, as llama.cpp's converter writes them for the Phi family.
    ///
    /// - Parameters:
    ///   - vocabularySize: rows of the model's embedding table; ids beyond the tokenizer's own are padding.
    ///   - sentencePieceModel: the `tokenizer.model` that belongs to it, for the scores that a SentencePiece tokenizer
    ///     has and this value does not keep.
    /// - Throws: `TokenizerError` when that file is missing or malformed.
    public func ggufMetadata(
        vocabularySize: Int, sentencePieceModel: [UInt8]? = nil
    ) throws(TokenizerError) -> GGUFTokenizerMetadata {
        var table = GGUFVocabulary(size: vocabularySize)
        var metadata = GGUFTokenizerMetadata(model: "gpt2", tokens: [])
        switch model {
        case .sentencePieceBPE:
            guard let sentencePieceModel else {
                throw TokenizerError(
                    .malformed, "tokenizer.model is missing: the scores of the pieces stand in no other file; fetch it")
            }
            table.take(try SentencePieceModel(sentencePieceModel))
            metadata.model = "llama"
            metadata.pre = "default"
            if prefixSpace == .never { metadata.addsSpacePrefix = false }
        case .byteLevelBPE:
            for id in 0..<pieces.count where types[id] != .unused {
                table.set(id, ByteAlphabet.text(of: pieces[id]), .normal, score: 0)
            }
            metadata.pre = preTokenizer == .o200k ? "gpt-4o" : ignoresMerges ? "llama-bpe" : "dbrx"
            metadata.merges = merges.map { merge in
                ByteAlphabet.text(of: pieces[Int(merge.left)]) + [0x20]
                    + ByteAlphabet.text(of: pieces[Int(merge.right)])
            }
        }
        for token in addedTokens {
            // The converter takes whatever looks like structure for it.
            let looksSpecial = model == .byteLevelBPE && token.content.starts(with: "<|".utf8)
            table.set(
                Int(token.id), token.content, token.isSpecial || looksSpecial ? .control : .userDefined, score: -1000)
        }
        metadata.tokens = table.tokens
        metadata.types = table.types.map { Int32($0.rawValue) }
        if model == .sentencePieceBPE { metadata.scores = table.scores }
        metadata.bosID = bosID.map(Int.init)
        metadata.eosID = eosID.map(Int.init)
        metadata.unknownID = unknownID.map(Int.init)
        metadata.padID = padID.map(Int.init)
        metadata.addsBOS = addsBOS
        metadata.addsEOS = addsEOS
        metadata.chatTemplate = chatTemplateText
        return metadata
    }
}

/// A vocabulary of fixed size that begins as padding.
private struct GGUFVocabulary {
    var tokens: [[UInt8]]
    var scores: [Float]
    var types: [TokenizerDefinition.TokenType]

    init(size: Int) {
        tokens = (0..<size).map { Array("[PAD\($0)]".utf8) }
        scores = [Float](repeating: -10_000, count: size)
        types = [TokenizerDefinition.TokenType](repeating: .unused, count: size)
    }

    /// Sets an entry; one beyond the model's rows has no place.
    mutating func set(_ id: Int, _ text: [UInt8], _ type: TokenizerDefinition.TokenType, score: Float) {
        guard tokens.indices.contains(id) else { return }
        tokens[id] = text
        types[id] = type
        scores[id] = score
    }

    mutating func take(_ file: SentencePieceModel) {
        for id in 0..<file.pieces.count {
            // The converter knows no pieces that users defined.
            let type = file.types[id] == .userDefined ? .normal : file.types[id]
            set(id, Array(file.pieces[id]), type, score: file.scores[id])
        }
    }
}
