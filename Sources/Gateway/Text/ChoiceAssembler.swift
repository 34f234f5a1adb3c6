import Inference

/// A token of an answer with its place in the text.
struct AnsweredToken: Hashable, Sendable {
    let token: Int32
    /// Nil for the first token of an echoed prompt, which nothing predicts, and when no scores were asked for.
    let score: ScoredToken?
    /// Where its text begins, in Unicode scalars from the beginning of the choice's text.
    let textOffset: Int
}

/// Why a choice ended, in OpenAI's words.
enum ChoiceEnd: String, Hashable, Sendable {
    case stop, length
    /// Its text came to something that a rule forbids.
    case contentFilter = "content_filter"
}

/// What is new in a choice.
struct ChoiceDelta: Hashable, Sendable {
    var text = ""
    var tokens: [AnsweredToken] = []
    var end: ChoiceEnd?
    /// The stop string that ended the choice, when one did.
    var stopString: String?
    /// The mean of the prompt's hidden states, where that is wanted.
    var embedding: [Float] = []
    /// The rule that ended the choice, when one did.
    var filterRule: String?

    /// Adds what came next.
    mutating func append(_ next: ChoiceDelta) {
        text += next.text
        tokens += next.tokens
        end = next.end ?? end
        stopString = next.stopString ?? stopString
        embedding += next.embedding
        filterRule = next.filterRule ?? filterRule
    }

    var isEmpty: Bool { text.isEmpty && tokens.isEmpty && end == nil && embedding.isEmpty }
}

/// Makes one choice's text out of its tokens: stop strings and a filter cut it, end tokens do not show.
struct ChoiceAssembler: Sendable {
    /// Tokens that end the choice and have no place in its text.
    private let endTokens: Set<Int32>
    /// Whether the end token is listed among the tokens (not in the text).
    private let listsEndToken: Bool
    private var text: any TokenTextStream
    private var scanner: StopStringScanner
    private var filter: TextFilter?
    private let ruleNames: [String]
    /// Unicode scalars decoded so far, and those of them that are certain to stay.
    private var decodedCount = 0
    private var releasedCount = 0
    /// Tokens whose text is not certain yet, and where it ends.
    private var pending: [(token: AnsweredToken, end: Int)] = []
    private var endToken: ScoredToken?
    /// Tokens generated for this choice, end token included.
    private(set) var tokenCount = 0
    private(set) var end: ChoiceEnd?

    init(
        text: any TokenTextStream, stops: [String], filter: ContentFilter? = nil, endTokens: Set<Int32>,
        listsEndToken: Bool
    ) {
        self.text = text
        self.endTokens = endTokens
        self.listsEndToken = listsEndToken
        scanner = StopStringScanner(stops)
        self.filter = filter.map { TextFilter($0.rules.output) }
        ruleNames = filter?.rules.names ?? []
    }

    /// The prompt as the beginning of the choice (`echo`). Stop strings are not looked for in it.
    ///
    /// - Parameter scores: The scores of the tokens from the second on, when they were asked for.
    mutating func echo(prompt: [Int32], scores: [ScoredToken]) -> ChoiceDelta {
        var delta = ChoiceDelta()
        for (index, token) in prompt.enumerated() {
            let score = index > 0 && index - 1 < scores.count ? scores[index - 1] : nil
            delta.tokens.append(AnsweredToken(token: token, score: score, textOffset: decodedCount))
            let piece = text.append(token)
            decodedCount += piece.unicodeScalars.count
            delta.text += piece
        }
        releasedCount = decodedCount
        return delta
    }

    /// Takes the next token. After the end nothing counts any more.
    mutating func append(_ scored: ScoredToken) -> ChoiceDelta {
        guard end == nil else { return ChoiceDelta() }
        tokenCount += 1
        if endTokens.contains(scored.token) {
            endToken = scored
            return ChoiceDelta()
        }
        let token = AnsweredToken(token: scored.token, score: scored, textOffset: decodedCount)
        let piece = text.append(scored.token)
        decodedCount += piece.unicodeScalars.count
        pending.append((token, decodedCount))
        let certain = scanner.append(piece)
        return release(filtered(certain, isLast: scanner.matched != nil))
    }

    /// Ends the choice, unless a stop string has ended it before.
    mutating func finish(_ reason: ChoiceEnd) -> ChoiceDelta {
        guard end == nil else { return ChoiceDelta() }
        let rest = text.finish()
        decodedCount += rest.unicodeScalars.count
        if let last = pending.indices.last { pending[last].end = decodedCount }
        let certain = scanner.append(rest)
        var delta = release(filtered(certain, isLast: scanner.matched != nil))
        guard end == nil else { return delta }
        delta.append(release(filtered(scanner.finish(), isLast: true)))
        guard end == nil else { return delta }
        delta.tokens += pending.map(\.token)
        pending.removeAll()
        if let endToken, listsEndToken {
            delta.tokens.append(AnsweredToken(token: endToken.token, score: endToken, textOffset: decodedCount))
        }
        end = reason
        delta.end = reason
        return delta
    }

    /// What the filter lets through.
    private mutating func filtered(_ text: String, isLast: Bool) -> String {
        guard var filter else { return text }
        // Held by nobody else while it is changed.
        self.filter = nil
        var passed = filter.append(text)
        if isLast { passed += filter.finish() }
        self.filter = filter
        return passed
    }

    /// Lets text go, with the tokens that it completes.
    private mutating func release(_ released: String) -> ChoiceDelta {
        releasedCount += released.unicodeScalars.count
        var delta = ChoiceDelta(text: released)
        if let match = filter?.match {
            // Not even the beginning of what is forbidden, which may share a token with what comes before.
            delta.tokens = pending.prefix { $0.end <= releasedCount }.map(\.token)
            pending.removeAll()
            end = .contentFilter
            delta.end = .contentFilter
            delta.filterRule = ruleNames[match.rule]
        } else if scanner.matched != nil {
            delta.tokens = pending.map(\.token).filter { $0.textOffset < releasedCount }
            pending.removeAll()
            end = .stop
            delta.end = .stop
            delta.stopString = scanner.matched
        } else {
            let count = pending.prefix { $0.end <= releasedCount }.count
            delta.tokens = pending.prefix(count).map(\.token)
            pending.removeFirst(count)
        }
        return delta
    }
}
