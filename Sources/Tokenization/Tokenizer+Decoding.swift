extension Tokenizer {
    /// The bytes that an id adds to decoded text; they may be part of a character.
    ///
    /// U+2581 is a space here, a byte token its byte. With `skipSpecial`, structure adds nothing. Ids outside the
    /// vocabulary (the padding of the model's output) add nothing.
    public func tokenBytes(_ id: Int32, skipSpecial: Bool = true) -> [UInt8] {
        guard id >= 0, Int(id) < vocabularySize else { return [] }
        if skipSpecial && isSpecial(id) { return [] }
        let piece = definition.pieces[Int(id)]
        guard definition.model == .sentencePieceBPE else { return Array(piece) }
        if let byte = byteValues[id] { return [byte] }
        guard definition.types[Int(id)] == .normal else { return Array(piece) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(piece.count)
        var position = piece.startIndex
        while position < piece.endIndex {
            if Self.isSpaceMark(piece, at: position) {
                bytes.append(0x20)
                position += 3
            } else {
                bytes.append(piece[position])
                position += 1
            }
        }
        return bytes
    }

    /// Whether decoding a whole text drops one leading space, because encoding put it there.
    public var stripsLeadingSpace: Bool {
        definition.model == .sentencePieceBPE && definition.prefixSpace != .never
    }

    /// The text of ids that are a whole text: the dummy prefix, one leading space, is dropped again.
    ///
    /// Bytes that are not UTF-8 become U+FFFD.
    public func decode(_ ids: [Int32], skipSpecial: Bool = true) -> String {
        var detokenizer = StreamingDetokenizer(
            self, stripLeadingSpace: stripsLeadingSpace, skipSpecial: skipSpecial)
        var text = ""
        for id in ids { text += detokenizer.append(id) }
        return text + detokenizer.finish()
    }
}
