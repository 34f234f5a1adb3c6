extension TokenizerDefinition {
    /// Reads the metadata of a GGUF file.
    ///
    /// GGUF has no strip flags: they are those published for the model that the vocabulary shows.
    ///
    /// - Throws: `TokenizerError` that names the key when one is malformed or of a kind unknown in the Phi family.
    public init(gguf: GGUFTokenizerMetadata) throws(TokenizerError) {
        let model: Model
        switch gguf.model {
        case "llama": model = .sentencePieceBPE
        case "gpt2": model = .byteLevelBPE
        default:
            throw TokenizerError(
                .unsupported,
                "tokenizer.ggml.model is \"\(gguf.model)\"; models of the Phi family have \"llama\" or \"gpt2\"")
        }
        let count = gguf.tokens.count
        guard count > 0, count <= TokenizerLimits.pieceCount else {
            throw TokenizerError(
                .malformed,
                "tokenizer.ggml.tokens has \(count) entries; 1 to \(TokenizerLimits.pieceCount) are accepted")
        }
        let unknownID = try Self.role(gguf.unknownID, "unknown", count)
        let types = try Self.types(gguf, unknownID: unknownID)
        var vocabulary = VocabularyAssembly()
        var tokens: [AddedToken] = []
        for (id, text) in gguf.tokens.enumerated() {
            guard String(validating: text, as: UTF8.self) != nil else {
                throw TokenizerError(.malformed, "tokenizer.ggml.tokens: entry \(id) is not UTF-8")
            }
            var type = types[id]
            var piece = text
            switch type {
            case .control, .unknown, .userDefined:
                if !text.isEmpty {
                    tokens.append(AddedToken(id: Int32(id), content: text, isSpecial: type != .userDefined))
                }
            case .normal where model == .byteLevelBPE:
                if let bytes = ByteAlphabet.bytes(of: text) { piece = bytes } else { type = .unused }
            case .normal, .unused, .byte: break
            }
            try vocabulary.pieces.append(piece)
            vocabulary.types.append(type)
        }
        let merges =
            switch model {
            case .sentencePieceBPE: try Self.merges(fromScoresOf: gguf, vocabulary)
            case .byteLevelBPE: try Self.merges(ofByteLevel: gguf, vocabulary)
            }
        PublishedStripFlags.apply(to: &tokens, model: model)
        try vocabulary.place(tokens, model: model)
        let eosID = try Self.role(gguf.eosID, "eos", count)
        let eotID = try Self.role(gguf.eotID, "eot", count)
        self.init(
            model: model, pieces: vocabulary.pieces, types: vocabulary.types, merges: merges, addedTokens: tokens,
            addsBOS: gguf.addsBOS ?? (model == .sentencePieceBPE), addsEOS: gguf.addsEOS ?? false,
            prefixSpace: model == .sentencePieceBPE && gguf.addsSpacePrefix != false ? .everyStretch : .never,
            preTokenizer: model == .byteLevelBPE ? try Self.preTokenizer(gguf.pre) : .none,
            ignoresMerges: gguf.pre == "llama-bpe",
            bosID: try Self.role(gguf.bosID, "bos", count), eosID: eosID, unknownID: unknownID,
            padID: try Self.role(gguf.padID, "padding", count),
            endOfSequenceIDs: VocabularyAssembly.enders(tokens, and: [eosID, eotID]),
            chatTemplateText: gguf.chatTemplate)
        try validate()
    }

    private static func types(
        _ gguf: GGUFTokenizerMetadata, unknownID: Int32?
    ) throws(TokenizerError) -> [TokenType] {
        let count = gguf.tokens.count
        guard let numbers = gguf.types else { return [TokenType](repeating: .normal, count: count) }
        guard numbers.count == count else {
            throw TokenizerError(
                .malformed, "tokenizer.ggml.token_type has \(numbers.count) entries for \(count) tokens")
        }
        var types: [TokenType] = []
        types.reserveCapacity(count)
        for (id, number) in numbers.enumerated() {
            guard let type = UInt8(exactly: number).flatMap(TokenType.init(rawValue:)) else {
                throw TokenizerError(.malformed, "tokenizer.ggml.token_type: entry \(id) is \(number), no known type")
            }
            // Converters have marked the padding of a vocabulary as unknown; the unknown token is one.
            types.append(
                unknownID == Int32(id) && type != .normal ? .unknown : type == .unknown ? .unused : type)
        }
        return types
    }

    private static func merges(
        fromScoresOf gguf: GGUFTokenizerMetadata, _ vocabulary: VocabularyAssembly
    ) throws(TokenizerError) -> [Merge] {
        guard let scores = gguf.scores else {
            throw TokenizerError(.malformed, "tokenizer.ggml.scores is missing; a \"llama\" tokenizer needs it")
        }
        return try vocabulary.merges(fromScores: scores)
    }

    private static func merges(
        ofByteLevel gguf: GGUFTokenizerMetadata, _ vocabulary: VocabularyAssembly
    ) throws(TokenizerError) -> [Merge] {
        guard let pairs = gguf.merges else {
            throw TokenizerError(.malformed, "tokenizer.ggml.merges is missing; a \"gpt2\" tokenizer needs it")
        }
        var halves = PieceTable()
        for (rank, pair) in pairs.enumerated() {
            guard let space = pair.firstIndex(of: 0x20), !pair[(space + 1)...].contains(0x20) else {
                throw TokenizerError(
                    .malformed, "tokenizer.ggml.merges: entry \(rank) is not two texts with one space between")
            }
            for half in [pair[..<space], pair[(space + 1)...]] {
                try halves.append(ByteAlphabet.bytes(of: Array(half)) ?? Array(half))
            }
        }
        return try vocabulary.resolve(halves)
    }

    private static func role(_ id: Int?, _ name: String, _ count: Int) throws(TokenizerError) -> Int32? {
        // Converters write the -1 of a missing token as an unsigned number.
        guard let id, id != Int(UInt32.max) else { return nil }
        guard (0..<count).contains(id) else {
            throw TokenizerError(
                .malformed, "tokenizer.ggml.\(name)_token_id is \(id), outside the vocabulary of \(count)")
        }
        return Int32(id)
    }

    private static func preTokenizer(_ name: String?) throws(TokenizerError) -> PreTokenizer {
        switch name {
        case "dbrx", "llama-bpe", "smaug-bpe": return .cl100k
        case "gpt-4o": return .o200k
        default:
            throw TokenizerError(
                .unsupported,
                "tokenizer.ggml.pre is \"\(name ?? "absent")\"; known are \"dbrx\" (Phi-4) and \"gpt-4o\" (Phi-4-mini)."
                    + " Convert the model again with a current converter")
        }
    }
}
