extension TokenizerDefinition {
    /// Reads a SentencePiece `tokenizer.model`; added tokens and flags come from the small files beside it.
    ///
    /// Without `tokenizer_config.json` the strip flags are those published for the model that the vocabulary shows.
    ///
    /// - Throws: `TokenizerError` when a file is malformed or the model is of another kind than Phi-3's.
    public init(
        sentencePieceModel: [UInt8], tokenizerConfig: [UInt8]? = nil, specialTokensMap: [UInt8]? = nil,
        addedTokens: [UInt8]? = nil, chatTemplate: [UInt8]? = nil
    ) throws(TokenizerError) {
        let file = try SentencePieceModel(sentencePieceModel)
        let settings = try HuggingFaceSettings(
            tokenizerConfig: tokenizerConfig, specialTokensMap: specialTokensMap, addedTokens: addedTokens,
            chatTemplate: chatTemplate)
        guard file.modelType == 2 else {
            throw TokenizerError(
                .unsupported, "tokenizer.model is of type \(file.modelType); the Phi family has type 2, BPE")
        }
        guard !file.removesExtraSpaces, !file.hasCharacterMap, file.escapesSpaces else {
            throw TokenizerError(
                .unsupported, "tokenizer.model normalises its text; the tokenizers of the Phi family do not")
        }
        var vocabulary = VocabularyAssembly(pieces: file.pieces, types: file.types)
        let merges = try vocabulary.merges(fromScores: file.scores)
        var own: [AddedToken] = []
        for id in 0..<file.pieces.count {
            switch file.types[id] {
            case .unknown, .control:
                own.append(AddedToken(id: Int32(id), content: Array(file.pieces[id]), isSpecial: true))
            case .userDefined: own.append(AddedToken(id: Int32(id), content: Array(file.pieces[id])))
            case .normal, .unused, .byte: break
            }
        }
        own.removeAll { $0.content.isEmpty }
        var (tokens, haveFlags) = settings.addedTokens(over: own)
        if !haveFlags { PublishedStripFlags.apply(to: &tokens, model: .sentencePieceBPE) }
        try vocabulary.place(tokens, model: .sentencePieceBPE)

        let ids = 0..<vocabulary.pieces.count
        func role(_ content: [UInt8]?, _ fallback: Int, _ lookup: RoleLookup) -> Int32? {
            content != nil ? lookup.id(content) : ids.contains(fallback) ? Int32(fallback) : nil
        }
        let roles = RoleLookup(vocabulary)
        let eos = role(settings.eos, file.eosID, roles)
        self.init(
            model: .sentencePieceBPE, pieces: vocabulary.pieces, types: vocabulary.types, merges: merges,
            addedTokens: tokens, addsBOS: settings.addsBOS ?? true, addsEOS: settings.addsEOS ?? false,
            prefixSpace: file.hasDummyPrefix ? .everyStretch : .never, preTokenizer: .none, ignoresMerges: false,
            bosID: role(settings.bos, file.bosID, roles), eosID: eos,
            unknownID: role(settings.unknown, file.unknownID, roles),
            padID: role(settings.pad, file.padID, roles),
            endOfSequenceIDs: VocabularyAssembly.enders(tokens, and: [eos]),
            chatTemplateText: settings.chatTemplate)
        try validate()
    }
}
