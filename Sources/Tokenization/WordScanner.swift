/// Cuts text into words as the regular expressions of GPT-4 and GPT-4o do, in linear time.
///
/// The expressions are written out as code, alternative by alternative, because a backtracking engine would give an
/// attacker quadratic time. Source of the expressions: OpenAI's tiktoken, as they stand in the `tokenizer.json` of
/// Phi-4 (`cl100k`) and Phi-4-mini (`o200k`):
///
///     cl100k: (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
///             | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
///     o200k:  [^\r\n\p{L}\p{N}]?U*W+C?|[^\r\n\p{L}\p{N}]?U+W*C?|\p{N}{1,3}
///             | ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
///             with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], W = [\p{Ll}\p{Lm}\p{Lo}\p{M}], C = the contractions above
struct WordScanner {
    private let style: TokenizerDefinition.PreTokenizer
    private var scalars: [UInt32] = []
    private var classes: [ScalarClass] = []
    /// Where each scalar begins in the bytes, and where the last one ends.
    private var offsets: [Int] = []

    /// Prepares `text[range]`, which must be whole scalars.
    init(_ text: [UInt8], _ range: Range<Int>, style: TokenizerDefinition.PreTokenizer) {
        self.style = style
        var position = range.lowerBound
        while position < range.upperBound {
            let (scalar, byteCount) = UTF8Scalar.decode(text, at: position)
            scalars.append(scalar)
            classes.append(ScalarClass(scalar))
            offsets.append(position)
            position += byteCount
        }
        offsets.append(range.upperBound)
    }

    /// Calls `body` with the byte range of each word, in order; together they are the whole text.
    func forEachWord(_ body: (Range<Int>) -> Void) {
        var start = 0
        while start < scalars.count {
            let end =
                switch style {
                case .none: scalars.count
                case .cl100k: endOfGPT4Word(from: start)
                case .o200k: endOfGPT4oWord(from: start)
                }
            body(offsets[start]..<offsets[end])
            start = end
        }
    }

    private func endOfGPT4Word(from start: Int) -> Int {
        if let end = endOfContraction(at: start) { return end }
        if let end = endOfPlainWord(from: start) { return end }
        return endOfOtherThanWord(from: start, includingSlash: false)
    }

    /// `[^\r\n\p{L}\p{N}]?\p{L}+`
    private func endOfPlainWord(from start: Int) -> Int? {
        var position = start
        if classes[start].canLeadWord { position += 1 }
        let end = run(from: position) { $0.isLetter }
        return end > position ? end : nil
    }

    private func endOfGPT4oWord(from start: Int) -> Int {
        let afterLead = classes[start].canLeadWord ? start + 1 : nil
        if let end = afterLead.flatMap({ endOfLowerWord(from: $0) }) ?? endOfLowerWord(from: start)
            ?? afterLead.flatMap({ endOfUpperWord(from: $0) }) ?? endOfUpperWord(from: start)
        {
            return endOfContraction(at: end) ?? end
        }
        return endOfOtherThanWord(from: start, includingSlash: true)
    }

    /// `U*W+`, greedy with the backtracking that an expression would do.
    private func endOfLowerWord(from start: Int) -> Int? {
        var pivot = run(from: start) { $0.isUpperish }
        if pivot == scalars.count || !classes[pivot].isLowerish {
            // `U*` gives back scalars until one is left over that `W+` can take as well.
            repeat {
                if pivot == start { return nil }
                pivot -= 1
            } while !classes[pivot].isLowerish
        }
        return run(from: pivot) { $0.isLowerish }
    }

    /// `U+W*`
    private func endOfUpperWord(from start: Int) -> Int? {
        let middle = run(from: start) { $0.isUpperish }
        return middle > start ? run(from: middle) { $0.isLowerish } : nil
    }

    /// Numbers by threes, punctuation with a leading space and trailing line ends, white space.
    private func endOfOtherThanWord(from start: Int, includingSlash: Bool) -> Int {
        if classes[start].isNumber {
            var end = start + 1
            while end < scalars.count, end < start + 3, classes[end].isNumber { end += 1 }
            return end
        }
        let first = scalars[start] == 0x20 ? start + 1 : start
        let endOfOthers = run(from: first) { $0.isOther }
        if endOfOthers > first {
            var end = endOfOthers
            while end < scalars.count, classes[end].isNewline || includingSlash && scalars[end] == 0x2F { end += 1 }
            return end
        }
        let end = run(from: start) { $0.isSpace }
        if let newline = classes[start..<end].lastIndex(where: { $0.isNewline }) { return newline + 1 }
        // `\s+(?!\S)` leaves the last space to the word that follows, when there is more than one.
        return end == scalars.count || end - start == 1 ? end : end - 1
    }

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`; the long s folds to s.
    private func endOfContraction(at position: Int) -> Int? {
        guard position + 1 < scalars.count, scalars[position] == 0x27 else { return nil }
        switch folded(position + 1) {
        case "s", "t", "m", "d": return position + 2
        case "r" where folded(position + 2) == "e": return position + 3
        case "v" where folded(position + 2) == "e": return position + 3
        case "l" where folded(position + 2) == "l": return position + 3
        default: return nil
        }
    }

    private func folded(_ position: Int) -> Unicode.Scalar? {
        guard position < scalars.count else { return nil }
        switch scalars[position] {
        case 0x41...0x5A: return Unicode.Scalar(scalars[position] + 0x20)
        case 0x17F: return "s"
        default: return Unicode.Scalar(scalars[position])
        }
    }

    private func run(from start: Int, while holds: (ScalarClass) -> Bool) -> Int {
        var end = start
        while end < classes.count, holds(classes[end]) { end += 1 }
        return end
    }
}
