/// What every source of a tokenizer has to bring together before it is a `TokenizerDefinition`.
struct VocabularyAssembly {
    typealias AddedToken = TokenizerDefinition.AddedToken
    typealias TokenType = TokenizerDefinition.TokenType

    var pieces = PieceTable()
    var types: [TokenType] = []

    /// Puts the added tokens into the vocabulary, beyond its end if need be, and gives them their types.
    mutating func place(_ tokens: [AddedToken], model: TokenizerDefinition.Model) throws(TokenizerError) {
        guard let highest = tokens.map({ Int($0.id) }).max() else { return }
        var contents: [Int: [UInt8]] = [:]
        for token in tokens {
            let id = Int(token.id)
            contents[id] = token.content
            while types.count <= id { types.append(.unused) }
            if types[id] == .unknown { continue }
            let isEnvelope =
                model == .sentencePieceBPE && ["<s>", "</s>"].contains { token.content.elementsEqual($0.utf8) }
            types[id] = token.isSpecial || isEnvelope ? .control : .userDefined
        }
        if highest < pieces.count, contents.allSatisfy({ pieces[$0.key].elementsEqual($0.value) }) { return }
        var placed = PieceTable()
        for id in 0..<types.count {
            if let content = contents[id] {
                try placed.append(content)
            } else if id < pieces.count {
                try placed.append(pieces[id])
            } else {
                try placed.append([])
            }
        }
        pieces = placed
    }

    /// Merges given as texts, two by two, as ids.
    func resolve(_ halves: PieceTable) throws(TokenizerError) -> [TokenizerDefinition.Merge] {
        let index = PieceIndex(pieces) { types[$0] != .unused && types[$0] != .byte }
        var merges: [TokenizerDefinition.Merge] = []
        merges.reserveCapacity(halves.count / 2)
        for rank in 0..<halves.count / 2 {
            guard let left = index.id(of: halves[2 * rank]), let right = index.id(of: halves[2 * rank + 1]) else {
                let texts = [halves[2 * rank], halves[2 * rank + 1]].map { String(decoding: $0, as: UTF8.self) }
                throw TokenizerError(
                    .malformed, "merge \(rank) joins \"\(texts[0])\" and \"\(texts[1])\", not both in the vocabulary")
            }
            merges.append(TokenizerDefinition.Merge(left: left, right: right))
        }
        return merges
    }

    /// Merges derived from the scores of a SentencePiece model: every way to cut a piece into two others, the higher
    /// score first, then the lower ids.
    ///
    /// The order is that of transformers' conversion to `tokenizer.json`, so that all files of a model agree.
    func merges(fromScores scores: [Float]) throws(TokenizerError) -> [TokenizerDefinition.Merge] {
        guard scores.count == pieces.count else {
            throw TokenizerError(
                .malformed, "\(scores.count) scores for \(pieces.count) tokens: there must be one each")
        }
        let index = PieceIndex(pieces) { types[$0] == .normal }
        var merges: [TokenizerDefinition.Merge] = []
        var order: [Int32] = []
        for id in 0..<pieces.count where types[id] == .normal {
            guard !scores[id].isNaN else { throw TokenizerError(.malformed, "the score of token \(id) is no number") }
            order.append(Int32(id))
        }
        order.sort { scores[Int($0)] != scores[Int($1)] ? scores[Int($0)] > scores[Int($1)] : $0 < $1 }
        for id in order {
            let piece = pieces[Int(id)]
            // No SentencePiece trainer makes longer ones; cutting them all ways would take quadratic time.
            guard piece.count <= Self.longestCut else { continue }
            var cuts: [TokenizerDefinition.Merge] = []
            for cut in piece.indices.dropFirst() where piece[cut] & 0xC0 != 0x80 {
                if let left = index.id(of: piece[..<cut]), let right = index.id(of: piece[cut...]) {
                    cuts.append(TokenizerDefinition.Merge(left: left, right: right))
                }
            }
            cuts.sort { ($0.left, $0.right) < ($1.left, $1.right) }
            merges += cuts
            guard merges.count <= TokenizerLimits.mergeCount else {
                throw TokenizerError(
                    .limitExceeded, "the pieces make more than \(TokenizerLimits.mergeCount) merges")
            }
        }
        return merges
    }

    private static let longestCut = 512

    /// The tokens that end a turn or a text in the family's templates, and `others`.
    static func enders(_ tokens: [AddedToken], and others: [Int32?]) -> [Int32] {
        let enders = ["<|end|>", "<|endoftext|>", "<|im_end|>"].map { Array($0.utf8) }
        var ids = Set(others.compactMap { $0 })
        for token in tokens where enders.contains(token.content) { ids.insert(token.id) }
        return ids.sorted()
    }
}
