/// Looks for what rules forbid in a text that comes in pieces, and lets through only what is certain to stay.
///
/// Text is held back exactly as long as it could be the beginning of a match, which has at most
/// `ContentFilter.longestMatch` scalars. So the result does not depend on how the text is cut.
struct TextFilter: Sendable {
    private var words: WordMatcher
    private var patterns: PatternMatcher
    /// What is held back.
    private var held = String.UnicodeScalarView()
    private var heldCount = 0
    private var heldStart = 0
    /// The rule that was broken, after which nothing counts any more.
    private(set) var match: RuleMatch?

    init(_ rules: FilterRules.Side) {
        words = WordMatcher(rules.words)
        patterns = PatternMatcher(rules.patterns)
    }

    /// The text that is certain to come before anything forbidden.
    mutating func append(_ text: String) -> String {
        guard match == nil else { return "" }
        for scalar in text.unicodeScalars {
            held.append(scalar)
            heldCount += 1
            let found = [words.append(scalar), patterns.append(scalar)].compactMap { $0 }
            if let first = found.min(by: { $0.start < $1.start }) { return end(first) }
        }
        let end = heldStart + heldCount
        return release(upTo: min(words.earliestStart ?? end, patterns.earliestStart ?? end))
    }

    /// What was held back, when the text ends.
    mutating func finish() -> String {
        guard match == nil else { return "" }
        let found = [words.finish(), patterns.finish()].compactMap { $0 }
        if let first = found.min(by: { $0.start < $1.start }) { return end(first) }
        return release(upTo: heldStart + heldCount)
    }

    /// The first match in a whole text.
    static func match(in text: String, _ rules: FilterRules.Side) -> RuleMatch? {
        var filter = TextFilter(rules)
        _ = filter.append(text)
        _ = filter.finish()
        return filter.match
    }

    private mutating func end(_ match: RuleMatch) -> String {
        self.match = match
        return release(upTo: match.start)
    }

    private mutating func release(upTo end: Int) -> String {
        let count = min(max(end - heldStart, 0), heldCount)
        let text = String(String.UnicodeScalarView(held.prefix(count)))
        held.removeFirst(count)
        heldStart += count
        heldCount -= count
        return text
    }
}
