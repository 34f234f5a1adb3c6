/// Words and phrases of all rules as one trie.
struct WordTrie: Hashable, Sendable {
    struct Node: Hashable, Sendable {
        var next: [Unicode.Scalar: Int] = [:]
        /// The rule whose word ends here.
        var rule: Int?
        /// Reached by white space, of which more may follow.
        var isSpace = false
    }

    private(set) var nodes = [Node()]

    /// Adds a phrase of folded words; false when it is empty.
    mutating func add(_ phrase: String, rule: Int) -> Bool {
        var node = 0
        for scalar in phrase.unicodeScalars {
            if scalar.properties.isWhitespace {
                if node == 0 || nodes[node].isSpace { continue }
                node = child(of: node, " ")
                nodes[node].isSpace = true
            } else {
                for folded in TextFolding.fold(scalar) { node = child(of: node, folded) }
            }
        }
        guard node != 0, !nodes[node].isSpace else { return false }
        nodes[node].rule = nodes[node].rule ?? rule
        return true
    }

    private mutating func child(of node: Int, _ scalar: Unicode.Scalar) -> Int {
        if let child = nodes[node].next[scalar] { return child }
        nodes.append(Node())
        nodes[node].next[scalar] = nodes.count - 1
        return nodes.count - 1
    }
}

/// Where a rule was broken.
struct RuleMatch: Hashable, Sendable {
    let rule: Int
    /// In scalars from the beginning of the text.
    let start: Int
}

/// Looks for words in a text that comes scalar by scalar; at most one attempt begins per word of the text.
struct WordMatcher: Sendable {
    private struct Attempt {
        var node: Int
        let start: Int
    }

    private let trie: WordTrie
    /// In the order of their starts.
    private var attempts: [Attempt] = []
    private var last: Unicode.Scalar?
    private var index = 0

    init(_ trie: WordTrie) { self.trie = trie }

    /// Where the earliest attempt began that may still become a match.
    var earliestStart: Int? { attempts.first?.start }

    mutating func append(_ scalar: Unicode.Scalar) -> RuleMatch? {
        defer { index += 1 }
        let folded = scalar.properties.isWhitespace ? [" "] : TextFolding.fold(scalar)
        guard !folded.isEmpty, trie.nodes.count > 1 else { return nil }
        defer { last = scalar }
        let isBoundary = TextFolding.isBoundary(last, scalar)
        if isBoundary {
            if let match { return match }
            attempts.append(Attempt(node: 0, start: index))
        }
        let earliest = index - ContentFilter.longestMatch
        attempts.removeAll { $0.start <= earliest }
        attempts = attempts.compactMap { attempt in
            var node = attempt.node
            if folded == [" "], trie.nodes[node].isSpace { return attempt }
            for scalar in folded {
                guard let next = trie.nodes[node].next[scalar] else { return nil }
                node = next
            }
            return Attempt(node: node, start: attempt.start)
        }
        return nil
    }

    /// The match that the end of the text completes.
    func finish() -> RuleMatch? { match }

    private var match: RuleMatch? {
        for attempt in attempts {
            if let rule = trie.nodes[attempt.node].rule { return RuleMatch(rule: rule, start: attempt.start) }
        }
        return nil
    }
}
