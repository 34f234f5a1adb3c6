extension Tokenizer {
    /// Whether the model wants its beginning-of-text token before a plain prompt.
    public var addsBOS: Bool { definition.addsBOS && definition.bosID != nil }

    /// The ids of a text.
    ///
    /// - Parameters:
    ///   - text: Any text; compared by scalars, never by canonical equivalence.
    ///   - parseSpecial: Whether added tokens in the text (`<|user|>`, `</s>`) become their ids. If not, they are text
    ///     like any other.
    ///   - addBOS: Whether the beginning-of-text token is put in front; pass `addsBOS` for what the model wants. It is
    ///     not doubled when the text begins with it already.
    public func encode(_ text: String, parseSpecial: Bool, addBOS: Bool) -> [Int32] {
        let bytes = Array(text.utf8)
        let whole = 0..<bytes.count
        var ids = encode(bytes, specialRegions: parseSpecial && !whole.isEmpty ? [whole] : [])
        if addBOS, let bos = definition.bosID, ids.first != bos { ids.insert(bos, at: 0) }
        return ids
    }

    /// The ids of UTF-8 bytes, in which added tokens are recognised in the given regions only.
    func encode(_ text: [UInt8], specialRegions: [Range<Int>]) -> [Int32] {
        var ids: [Int32] = []
        var merger = PairMerger()
        var position = 0
        for match in matcher.matches(in: text, regions: specialRegions) {
            encodeStretch(text, position..<match.range.lowerBound, &merger, into: &ids)
            ids.append(match.id)
            position = match.range.upperBound
        }
        encodeStretch(text, position..<text.count, &merger, into: &ids)
        return ids
    }

    private func encodeStretch(
        _ text: [UInt8], _ range: Range<Int>, _ merger: inout PairMerger, into ids: inout [Int32]
    ) {
        if range.isEmpty { return }
        switch definition.model {
        case .sentencePieceBPE: encodeSentencePieces(text, range, &merger, into: &ids)
        case .byteLevelBPE: encodeByteLevel(text, range, &merger, into: &ids)
        }
    }

    // MARK: SentencePiece

    private func encodeSentencePieces(
        _ text: [UInt8], _ range: Range<Int>, _ merger: inout PairMerger, into ids: inout [Int32]
    ) {
        let mark: [UInt8] = [0xE2, 0x96, 0x81]
        var marked: [UInt8] = []
        marked.reserveCapacity(range.count + range.count / 2 + 3)
        let isSpaced = text[range.lowerBound] == 0x20 || Self.isSpaceMark(text[range], at: range.lowerBound)
        let hasPrefix =
            switch definition.prefixSpace {
            case .never: false
            case .everyStretch: true
            case .everyUnspacedStretch: !isSpaced
            case .firstUnspacedStretch: !isSpaced && range.lowerBound == 0
            }
        if hasPrefix { marked += mark }
        for byte in text[range] { if byte == 0x20 { marked += mark } else { marked.append(byte) } }

        var start = 0
        while start < marked.count {
            let end = mergesStayWithinWords ? endOfWord(marked, from: start) : marked.count
            encodeSymbols(marked, start..<end, &merger, into: &ids)
            start = end
        }
    }

    /// The end of the marks and the text after them that begin at `start`.
    private func endOfWord(_ marked: [UInt8], from start: Int) -> Int {
        var position = start
        var isAfterText = false
        while position < marked.count {
            if Self.isSpaceMark(marked[...], at: position) {
                if isAfterText { break }
                position += 3
            } else {
                isAfterText = true
                position += 1
            }
        }
        return position
    }

    private func encodeSymbols(
        _ marked: [UInt8], _ range: Range<Int>, _ merger: inout PairMerger, into ids: inout [Int32]
    ) {
        merger.symbols.removeAll(keepingCapacity: true)
        var position = range.lowerBound
        while position < range.upperBound {
            let end = min(position + UTF8Scalar.byteCount(lead: marked[position]), range.upperBound)
            let scalar = marked[position..<end]
            if let id = index.id(of: scalar), definition.types[Int(id)] == .normal {
                merger.symbols.append(id)
            } else if scalar.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
                for byte in scalar { merger.symbols.append(byteTokens[Int(byte)]) }
            } else if let unknown = definition.unknownID, merger.symbols.last != unknown {
                merger.symbols.append(unknown)  // neighbours that are unknown share one token
            }
            position = end
        }
        merger.merge(with: merges)
        ids.append(contentsOf: merger.symbols)
    }

    // MARK: Bytes

    private func encodeByteLevel(
        _ text: [UInt8], _ range: Range<Int>, _ merger: inout PairMerger, into ids: inout [Int32]
    ) {
        WordScanner(text, range, style: definition.preTokenizer).forEachWord { word in
            if definition.ignoresMerges, let id = index.id(of: text[word]), definition.types[Int(id)] == .normal {
                ids.append(id)
                return
            }
            merger.symbols.removeAll(keepingCapacity: true)
            for byte in text[word] {
                let id = byteTokens[Int(byte)]
                if id >= 0 {
                    merger.symbols.append(id)
                } else if let unknown = definition.unknownID {
                    merger.symbols.append(unknown)
                }
            }
            merger.merge(with: merges)
            ids.append(contentsOf: merger.symbols)
        }
    }
}
