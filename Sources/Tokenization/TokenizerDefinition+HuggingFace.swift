extension TokenizerDefinition {
    /// Reads a Hugging Face `tokenizer.json` and the small files beside it, any of which may be missing.
    ///
    /// - Throws: `TokenizerError` that names file and place when one is malformed, or the feature when it is one that
    ///   no tokenizer of the Phi family uses.
    public init(
        tokenizerJSON: [UInt8], tokenizerConfig: [UInt8]? = nil, specialTokensMap: [UInt8]? = nil,
        addedTokens: [UInt8]? = nil, chatTemplate: [UInt8]? = nil
    ) throws(TokenizerError) {
        let file = try TokenizerJSONFile(tokenizerJSON)
        let settings = try HuggingFaceSettings(
            tokenizerConfig: tokenizerConfig, specialTokensMap: specialTokensMap, addedTokens: addedTokens,
            chatTemplate: chatTemplate)
        guard file.modelType == "BPE" || file.modelType == nil else {
            throw TokenizerError(
                .unsupported,
                "tokenizer.json holds a \(file.modelType ?? "") model; the tokenizers of the Phi family are BPE")
        }
        let preTokenizers = TokenizerJSONFile.steps(file.preTokenizer)
        let isByteLevel = preTokenizers.contains { $0["type"]?.text == "ByteLevel" }
        guard isByteLevel || file.hasByteFallback else {
            throw TokenizerError(
                .unsupported, "tokenizer.json has neither byte_fallback (SentencePiece) nor a ByteLevel pre-tokenizer")
        }

        let tokens = settings.addedTokens(over: file.addedTokens).tokens
        var vocabulary = VocabularyAssembly()
        if isByteLevel {
            try vocabulary.takeByteLevel(file, tokens)
        } else {
            try vocabulary.takeSentencePiece(file)
        }
        let model: Model = isByteLevel ? .byteLevelBPE : .sentencePieceBPE
        try vocabulary.place(tokens, model: model)

        var halves = file.mergeHalves
        if isByteLevel { halves = try VocabularyAssembly.byteLevelHalves(of: halves) }
        let merges = try vocabulary.resolve(halves)
        let roles = RoleLookup(vocabulary)
        let firstOfTemplate = TokenizerJSONFile.steps(file.postProcessor)
            .first { $0["type"]?.text == "TemplateProcessing" }?["single"]?
            .elements.first?["SpecialToken"]?["id"]?.bytes
        let bos = settings.bos ?? firstOfTemplate ?? (isByteLevel ? nil : Array("<s>".utf8))

        self.init(
            model: model, pieces: vocabulary.pieces, types: vocabulary.types, merges: merges, addedTokens: tokens,
            addsBOS: settings.addsBOS ?? (firstOfTemplate != nil && firstOfTemplate == bos),
            addsEOS: settings.addsEOS ?? false,
            prefixSpace: isByteLevel ? .never : try Self.prefixSpace(file.normalizer, preTokenizers),
            preTokenizer: isByteLevel ? try Self.preTokenizer(file.normalizer, preTokenizers) : .none,
            ignoresMerges: file.ignoresMerges,
            bosID: roles.id(bos), eosID: roles.id(settings.eos),
            unknownID: roles.id(file.unknownToken ?? settings.unknown), padID: roles.id(settings.pad),
            endOfSequenceIDs: VocabularyAssembly.enders(tokens, and: [roles.id(settings.eos)]),
            chatTemplateText: settings.chatTemplate)
        try validate()
    }

    private static func prefixSpace(
        _ normalizer: JSONValue, _ preTokenizers: [JSONValue]
    ) throws(TokenizerError) -> PrefixSpace {
        let mark = "\u{2581}"
        var prefix = PrefixSpace.never
        var replacesSpaces = false
        for step in TokenizerJSONFile.steps(normalizer) {
            switch step["type"]?.text {
            case "Prepend" where step["prepend"]?.text == mark: prefix = .everyStretch
            case "Replace" where step["pattern"]?["String"]?.text == " " && step["content"]?.text == mark:
                replacesSpaces = true
            case let type:
                throw TokenizerError(
                    .unsupported,
                    "tokenizer.json normalises with \(type ?? "an unnamed step"); SentencePiece of the Phi family only "
                        + "prepends and replaces spaces")
            }
        }
        for step in preTokenizers {
            guard step["type"]?.text == "Metaspace", (step["replacement"]?.text ?? mark) == mark else {
                throw TokenizerError(
                    .unsupported,
                    "tokenizer.json pre-tokenises with \(step["type"]?.text ?? "an unnamed step"), unknown in the "
                        + "Phi family")
            }
            replacesSpaces = true
            switch step["prepend_scheme"]?.text {
            case "never": prefix = .never
            case "first": prefix = .firstUnspacedStretch
            case "always": prefix = .everyUnspacedStretch
            default: prefix = step["add_prefix_space"]?.bool == false ? .never : .everyUnspacedStretch
            }
        }
        guard replacesSpaces else {
            throw TokenizerError(
                .unsupported,
                "tokenizer.json has byte_fallback but does not replace spaces by U+2581 as SentencePiece does")
        }
        return prefix
    }

    /// The expressions by which known files cut words.
    private static let expressions: [(PreTokenizer, [String])] = [
        (
            .cl100k,
            [
                #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"#
                    + #"\s*[\r\n]+|\s+(?!\S)|\s+"#,
                #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|"#
                    + #"\s*[\r\n]|\s+(?!\S)|\s+"#,
            ]
        ),
        (
            .o200k,
            [
                #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"#
                    + #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"#
                    + #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"#
                    + #" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
            ]
        ),
    ]

    private static func preTokenizer(
        _ normalizer: JSONValue, _ steps: [JSONValue]
    ) throws(TokenizerError) -> PreTokenizer {
        guard normalizer == .null else {
            throw TokenizerError(
                .unsupported,
                "tokenizer.json normalises text (\(normalizer["type"]?.text ?? "?")); byte-level BPE of the Phi family "
                    + "does not")
        }
        guard steps.count == 2, let expression = steps[0]["pattern"]?["Regex"]?.text,
            let known = expressions.first(where: { $0.1.contains { $0.utf8.elementsEqual(expression.utf8) } }),
            steps[1]["add_prefix_space"]?.bool != true, steps[1]["use_regex"]?.bool == false
        else {
            throw TokenizerError(
                .unsupported,
                "tokenizer.json cuts words in a way that is not known; the expressions of Phi-4 (cl100k) and "
                    + "Phi-4-mini (o200k) are")
        }
        return known.0
    }
}

/// Finds the ids of the tokens that have a role.
struct RoleLookup {
    private let index: PieceIndex

    init(_ vocabulary: VocabularyAssembly) {
        index = PieceIndex(vocabulary.pieces) { vocabulary.types[$0] != .unused }
    }

    /// The id of a text, if it is in the vocabulary.
    func id(_ content: [UInt8]?) -> Int32? { content.flatMap { index.id(of: $0[...]) } }
}

extension VocabularyAssembly {
    mutating func takeByteLevel(_ file: TokenizerJSONFile, _ added: [AddedToken]) throws(TokenizerError) {
        let literal = Set(added.map { Int($0.id) })
        for id in 0..<file.pieces.count {
            let text = Array(file.pieces[id])
            if file.isHole[id] || literal.contains(id) {
                try pieces.append(ByteAlphabet.bytes(of: text) ?? text)
                types.append(.unused)
            } else if let bytes = ByteAlphabet.bytes(of: text) {
                try pieces.append(bytes)
                types.append(.normal)
            } else {
                try pieces.append(text)
                types.append(.unused)
            }
        }
    }

    mutating func takeSentencePiece(_ file: TokenizerJSONFile) throws(TokenizerError) {
        pieces = file.pieces
        for id in 0..<pieces.count {
            let text = pieces[id]
            if file.isHole[id] {
                types.append(.unused)
            } else if let unknown = file.unknownToken, text.elementsEqual(unknown) {
                types.append(.unknown)
            } else if text.count == 6, text.starts(with: "<0x".utf8), text.last == UInt8(ascii: ">"),
                text.dropFirst(3).dropLast().allSatisfy({ hexadecimalDigit($0) != nil })
            {
                types.append(.byte)
            } else {
                types.append(.normal)
            }
        }
    }

    static func byteLevelHalves(of texts: PieceTable) throws(TokenizerError) -> PieceTable {
        var halves = PieceTable()
        for position in 0..<texts.count {
            let text = Array(texts[position])
            try halves.append(ByteAlphabet.bytes(of: text) ?? text)
        }
        return halves
    }
}
