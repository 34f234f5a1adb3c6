/// Text to token ids and back, for one model. Immutable, so it can be shared freely.
public final class Tokenizer: Sendable {
    /// What it was built from.
    public let definition: TokenizerDefinition

    let index: PieceIndex
    let merges: MergeTable
    let matcher: AddedTokenMatcher
    /// The token of each byte: byte tokens in SentencePiece, single bytes in byte-level BPE; -1 where there is none.
    let byteTokens: [Int32]
    /// In SentencePiece: whether no token continues after a space that follows text, so that words are independent.
    let mergesStayWithinWords: Bool
    /// What each byte token stands for, in SentencePiece.
    let byteValues: [Int32: UInt8]

    /// Builds the tables. Throws when the definition contradicts itself.
    public init(_ definition: TokenizerDefinition) throws(TokenizerError) {
        try definition.validate()
        self.definition = definition
        let pieces = definition.pieces
        // Merges may make a token that has been declared special besides (U+FFFD in Phi-4), so those are found too.
        let index = PieceIndex(pieces) { definition.types[$0] != .unused && definition.types[$0] != .byte }
        var merges = MergeTable(capacity: definition.merges.count)
        var joined: [UInt8] = []
        for (rank, merge) in definition.merges.enumerated() {
            joined.removeAll(keepingCapacity: true)
            joined.append(contentsOf: pieces[Int(merge.left)])
            joined.append(contentsOf: pieces[Int(merge.right)])
            guard let merged = index.id(of: joined[...]) else {
                throw TokenizerError(
                    .malformed,
                    "merge \(rank) makes \"\(String(decoding: joined, as: UTF8.self))\", which is not in the vocabulary"
                )
            }
            merges.insert(merge.left, merge.right, MergeTable.Entry(rank: UInt32(rank), merged: merged))
        }
        var byteTokens = [Int32](repeating: -1, count: 256)
        var byteValues: [Int32: UInt8] = [:]
        switch definition.model {
        case .sentencePieceBPE:
            for id in 0..<pieces.count where definition.types[id] == .byte {
                guard let byte = Self.byteValue(of: pieces[id]) else {
                    throw TokenizerError(
                        .malformed,
                        "token \(id), \"\(String(decoding: pieces[id], as: UTF8.self))\", is a byte token but not "
                            + "spelled like <0x0A>")
                }
                byteValues[Int32(id)] = byte
                if byteTokens[Int(byte)] < 0 { byteTokens[Int(byte)] = Int32(id) }
            }
        case .byteLevelBPE:
            for byte in 0..<256 { byteTokens[byte] = index.id(of: [UInt8(byte)]) ?? -1 }
        }
        self.index = index
        self.merges = merges
        self.byteTokens = byteTokens
        self.byteValues = byteValues
        matcher = AddedTokenMatcher(definition.addedTokens)
        mergesStayWithinWords =
            definition.model == .sentencePieceBPE
            && !(0..<pieces.count).contains { definition.types[$0] == .normal && Self.hasInnerSpace(pieces[$0]) }
    }

    /// How many ids there are. The model's output may be wider: the rest is padding.
    public var vocabularySize: Int { definition.vocabularySize }

    /// Whether the id is structure (`<s>`, `<|end|>`, the unknown token) and no text.
    public func isSpecial(_ id: Int32) -> Bool {
        guard id >= 0, Int(id) < vocabularySize else { return false }
        return definition.types[Int(id)] == .control || definition.types[Int(id)] == .unknown
    }

    /// The text of an id as the vocabulary spells it: `▁the`, `<0x0A>`, `<|end|>`. Byte-level tokens that are no whole
    /// characters show U+FFFD. Nil outside the vocabulary.
    public func piece(_ id: Int32) -> String? { definition.content(of: id) }

    /// The id of an added token or, failing that, of a piece, by its exact UTF-8 text.
    public func id(ofPiece piece: String) -> Int32? {
        if let id = definition.addedTokenID(piece) { return id }
        let bytes = Array(piece.utf8)
        if let id = index.id(of: bytes[...]) { return id }
        return Self.byteValue(of: bytes[...]).flatMap { byte in
            definition.model == .sentencePieceBPE && byteTokens[Int(byte)] >= 0 ? byteTokens[Int(byte)] : nil
        }
    }

    /// The byte that `<0x0A>` spells.
    private static func byteValue(of piece: ArraySlice<UInt8>) -> UInt8? {
        let text = Array(piece)
        guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">"),
            let high = hexadecimalDigit(text[3]), let low = hexadecimalDigit(text[4])
        else { return nil }
        return high << 4 | low
    }

    private static func hasInnerSpace(_ piece: ArraySlice<UInt8>) -> Bool {
        var isAfterText = false
        var position = piece.startIndex
        while position < piece.endIndex {
            if isSpaceMark(piece, at: position) {
                if isAfterText { return true }
                position += 3
            } else {
                isAfterText = true
                position += 1
            }
        }
        return false
    }

    /// Whether U+2581, SentencePiece's visible space, begins at `position`.
    static func isSpaceMark(_ bytes: ArraySlice<UInt8>, at position: Int) -> Bool {
        bytes[position] == 0xE2 && position + 2 < bytes.endIndex && bytes[position + 1] == 0x96
            && bytes[position + 2] == 0x81
    }
}
