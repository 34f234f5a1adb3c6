import Testing

@testable import Tokenization

/// Small trained tokenizers against the reference libraries (Tests/Reference/tokenizer/generate.py).
struct GoldenTokenizerTests {
    struct Case: Decodable {
        let text: String
        /// Ids when special tokens in the text are text.
        let plain: [Int32]
        /// Ids when they are parsed; absent when equal.
        let parsed: [Int32]?
        /// How many scalars each word of the pre-tokenizer has.
        let words: [Int]?
    }

    static func byteLevel(_ name: String) throws -> TokenizerDefinition {
        try TokenizerDefinition(tokenizerJSON: GoldenFiles.resource("\(name).tokenizer.json"))
    }

    private func check(_ definition: TokenizerDefinition, _ cases: [Case]) throws {
        let tokenizer = try Tokenizer(definition)
        #expect(cases.count > 100)
        for row in cases {
            let text = row.text.debugDescription
            let plain = tokenizer.encode(row.text, parseSpecial: false, addBOS: false)
            #expect(plain == row.plain, "\(text)")
            let parsed = tokenizer.encode(row.text, parseSpecial: true, addBOS: false)
            #expect(parsed == row.parsed ?? row.plain, "\(text)")
            if definition.model == .byteLevelBPE || !row.text.unicodeScalars.contains("\u{2581}") {
                #expect(tokenizer.decode(plain).scalars == row.text.scalars, "\(text)")
            }
        }
    }

    @Test(arguments: ["cl100k", "o200k"])
    func `byte-level BPE has the ids of the tokenizers library`(name: String) throws {
        let cases = try GoldenFiles.lines(GoldenFiles.resource("\(name).cases.jsonl"), as: Case.self)
        try check(Self.byteLevel(name), cases)
    }

    @Test(arguments: [("cl100k", TokenizerDefinition.PreTokenizer.cl100k), ("o200k", .o200k)])
    func `words end where the regular expression ends them`(
        name: String, style: TokenizerDefinition.PreTokenizer
    ) throws {
        #expect(try Self.byteLevel(name).preTokenizer == style)
        for row in try GoldenFiles.lines(GoldenFiles.resource("\(name).cases.jsonl"), as: Case.self) {
            let text = Array(row.text.utf8)
            var words: [Int] = []
            WordScanner(text, 0..<text.count, style: style).forEachWord { word in
                words.append(String(decoding: text[word], as: UTF8.self).unicodeScalars.count)
            }
            #expect(words == row.words, "\(row.text.debugDescription)")
        }
    }

    @Test func `SentencePiece has the ids of its library, from every kind of file`() throws {
        let cases = try GoldenFiles.lines(GoldenFiles.resource("sentencepiece.cases.jsonl"), as: Case.self)
        try check(TokenizerDefinition(tokenizerJSON: GoldenFiles.resource("sentencepiece.tokenizer.json")), cases)
        // Without flags in any file, those of Phi-3 are found by the vocabulary.
        let bare = try TokenizerDefinition(
            sentencePieceModel: GoldenFiles.resource("sentencepiece.tokenizer.model"),
            addedTokens: GoldenFiles.resource("sentencepiece.added_tokens.json"))
        try check(bare, cases)
    }

    @Test(arguments: ["cl100k", "o200k"])
    func `a GGUF without strip flags gets those of the published model`(name: String) throws {
        let json = try Self.byteLevel(name)
        let file = try TokenizerJSONFile(GoldenFiles.resource("\(name).tokenizer.json"))
        var tokens = (0..<file.pieces.count).map { Array(file.pieces[$0]) }
        var types = [Int32](repeating: 1, count: tokens.count)
        for token in json.addedTokens {
            while tokens.count <= token.id { tokens.append(Array("[PAD]".utf8)) }
            while types.count <= token.id { types.append(5) }
            tokens[Int(token.id)] = token.content
            types[Int(token.id)] = 3
        }
        let merges = (0..<file.mergeHalves.count / 2).map {
            Array(file.mergeHalves[2 * $0]) + [0x20] + Array(file.mergeHalves[2 * $0 + 1])
        }
        let gguf = try TokenizerDefinition(
            gguf: GGUFTokenizerMetadata(
                model: "gpt2", pre: name == "cl100k" ? "dbrx" : "gpt-4o", tokens: tokens, types: types,
                merges: merges))
        #expect(gguf.addedTokens == json.addedTokens)
        #expect(gguf.pieces == json.pieces)
        #expect(gguf.merges == json.merges)
        try check(gguf, GoldenFiles.lines(GoldenFiles.resource("\(name).cases.jsonl"), as: Case.self))
    }

    @Test func `any text comes back from its ids`() throws {
        let seed: UInt64 = 11
        var generator = SeededGenerator(seed: seed)
        let tokenizers = try [
            Self.byteLevel("cl100k"), Self.byteLevel("o200k"),
            TokenizerDefinition(tokenizerJSON: GoldenFiles.resource("sentencepiece.tokenizer.json")),
        ].map { try Tokenizer($0) }
        for _ in 0..<1000 {
            let text = RandomText.make(using: &generator)
            for tokenizer in tokenizers {
                let ids = tokenizer.encode(text, parseSpecial: false, addBOS: false)
                #expect(tokenizer.decode(ids).scalars == text.scalars, "seed \(seed): \(text.debugDescription)")
            }
        }
    }

    @Test func `a beginning-of-text token is added once`() throws {
        let tokenizer = try Tokenizer(
            TokenizerDefinition(
                sentencePieceModel: GoldenFiles.resource("sentencepiece.tokenizer.model"),
                addedTokens: GoldenFiles.resource("sentencepiece.added_tokens.json")))
        #expect(tokenizer.addsBOS)
        #expect(tokenizer.encode("", parseSpecial: false, addBOS: true) == [1])
        let once = tokenizer.encode("sea", parseSpecial: true, addBOS: true)
        #expect(once.first == 1)
        #expect(tokenizer.encode("<s>sea", parseSpecial: true, addBOS: true) == once)
        #expect(tokenizer.encode("<s>sea", parseSpecial: false, addBOS: false).contains(1) == false)
    }

    @Test func `pieces and ids find each other`() throws {
        let tokenizer = try Tokenizer(
            TokenizerDefinition(tokenizerJSON: GoldenFiles.resource("sentencepiece.tokenizer.json")))
        for id in 0..<Int32(tokenizer.vocabularySize) {
            let piece = try #require(tokenizer.piece(id))
            #expect(tokenizer.id(ofPiece: piece) == id)
        }
        #expect(tokenizer.piece(-1) == nil)
        #expect(tokenizer.piece(Int32(tokenizer.vocabularySize)) == nil)
        #expect(tokenizer.tokenBytes(Int32.max) == [])
        #expect(tokenizer.id(ofPiece: "<|end|>").map(tokenizer.isSpecial) == true)
    }

    @Test func `a token may be declared special although merges make it`() throws {
        // As U+FFFD in Phi-4: an entry of the vocabulary that is the unknown token besides.
        var definition = try Self.byteLevel("cl100k")
        let tokenizer = try Tokenizer(definition)
        let ids = tokenizer.encode("the boat", parseSpecial: false, addBOS: false)
        definition.types[Int(ids[0])] = .control
        definition.addedTokens.append(
            .init(id: ids[0], content: Array(definition.pieces[Int(ids[0])]), isSpecial: true))
        let declared = try Tokenizer(definition)
        #expect(declared.encode("the boat", parseSpecial: false, addBOS: false) == ids)
        #expect(declared.encode("the boat", parseSpecial: true, addBOS: false) == ids)
    }

    @Test func `a word in the vocabulary is taken whole where merges are to be ignored`() throws {
        var definition = try Self.byteLevel("o200k")
        let word = try #require(
            definition.merges.last.map { merge in
                Array(definition.pieces[Int(merge.left)]) + Array(definition.pieces[Int(merge.right)])
            })
        definition.merges.removeLast()
        let text = String(decoding: word, as: UTF8.self)
        #expect(try Tokenizer(definition).encode(text, parseSpecial: false, addBOS: false).count > 1)
        definition.ignoresMerges = true
        #expect(try Tokenizer(definition).encode(text, parseSpecial: false, addBOS: false).count == 1)
    }
}
