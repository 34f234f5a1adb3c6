/// What is repeated, so that equal things share the rules for so many of them.
enum RepeatedNode: Hashable {
    case rule(Int)
    case scalars(ScalarSet)
    /// Anything else, by the number of its repetition.
    case own(Int)
}

/// The rules for so many of a node, each made of the one before: number n - 1 of `exact` for n, and of `upTo` for up to n.
struct RepeatedSeries {
    let element: GrammarNode
    var exact: [GrammarNode] = []
    /// By what follows.
    var upTo: [[UInt8]: [GrammarNode]] = [:]
}

// Counts become few states: up to 32 of a node are chains of rules that end with one another, 32 of them are one node of
// the next level. So what a place within a repetition accepts is found once, however large the count and wherever it is.
extension AutomatonBuilder {
    private static let blockSize = 32
    /// Rules of at most so many characters are written out where they are repeated, unless they use others.
    private static let inlineSize = 64

    /// Whether a node is repeated up to a number of times that makes rules of it.
    static func isCounted(_ node: GrammarNode) -> Bool {
        guard case .repetition(_, let least, let most?) = node else { return false }
        return most > max(least, 1)
    }

    /// - Parameter end: What follows the repetition; empty unless it is counted.
    mutating func build(
        _ node: GrammarNode, least: Int, most: Int?, end: [UInt8], from: Int32, to: Int32
    ) throws(GrammarError) {
        guard isProductive(node), most != 0 else { return try build(.literal(end), from: from, to: to) }
        if least == 0, most == 1 { return try build(.choice([.sequence([]), node]), from: from, to: to) }
        var key = RepeatedNode.own(repeated.count)
        switch node {
        case .rule(let index): key = .rule(index)
        case .scalars(let set): key = .scalars(set)
        default: break
        }
        if repeated[key] == nil { repeated[key] = [RepeatedSeries(element: try element(node))] }
        let middle = try state()
        try build(try exactly(least, of: key, level: 0), from: from, to: middle)
        if let most {
            try build(try upTo(most - least, of: key, level: 0, end: end), from: middle, to: to)
        } else {
            let again = try state()
            try build(repeated[key]?[0].element ?? node, from: middle, to: again)
            raw[Int(again)].empty.append(middle)
            raw[Int(middle)].empty.append(to)
        }
    }

    /// What is copied for every time that a node is repeated: a short rule as it is written, anything long as a rule.
    private mutating func element(_ node: GrammarNode) throws(GrammarError) -> GrammarNode {
        if case .rule(let index) = node, index < syntax.rules.count {
            return (Self.size(syntax.rules[index]) ?? .max) <= Self.inlineSize ? syntax.rules[index] : node
        }
        return (Self.size(node) ?? .max) <= Self.inlineSize ? node : try add(rule: node)
    }

    /// Ranges of characters in a node; nil when it uses rules or is repeated often.
    private static func size(_ node: GrammarNode) -> Int? {
        switch node {
        case .literal(let bytes): return bytes.count
        case .scalars(let set): return set.ranges.count
        case .rule: return nil
        case .sequence(let nodes), .choice(let nodes):
            var sum = 0
            for node in nodes {
                guard let size = size(node) else { return nil }
                sum += size
            }
            return sum
        case .repetition(let node, _, let most):
            guard let most, most <= 8, let size = size(node) else { return nil }
            return size * most
        }
    }

    /// The series of a level: the first repeats the node, each other one 32 of the one before.
    private mutating func series(_ level: Int, of key: RepeatedNode) throws(GrammarError) -> RepeatedSeries {
        while let levels = repeated[key], levels.count <= level {
            let block = try exactRule(Self.blockSize, of: key, level: levels.count - 1)
            repeated[key]?.append(RepeatedSeries(element: block))
        }
        guard let series = repeated[key]?[level] else { preconditionFailure("every repeated node has its series") }
        return series
    }

    /// The rule for 1 to 32 times.
    private mutating func exactRule(_ count: Int, of key: RepeatedNode, level: Int) throws(GrammarError) -> GrammarNode
    {
        var series = try series(level, of: key)
        while series.exact.count < count {
            let rest = series.exact.last.map { [$0] } ?? []
            series.exact.append(try add(rule: .sequence([series.element] + rest)))
        }
        repeated[key]?[level] = series
        return series.exact[count - 1]
    }

    /// The rule for up to 32 times, and what follows.
    private mutating func upToRule(
        _ count: Int, of key: RepeatedNode, level: Int, end: [UInt8]
    ) throws(GrammarError) -> GrammarNode {
        guard count > 0 else { return .literal(end) }
        var series = try series(level, of: key)
        var rules = series.upTo[end] ?? []
        while rules.count < count {
            let rest = rules.last ?? .literal(end)
            rules.append(try add(rule: .choice([.literal(end), .sequence([series.element, rest])])))
        }
        series.upTo[end] = rules
        repeated[key]?[level] = series
        return rules[count - 1]
    }

    /// Exactly `count` times the node of a level.
    private mutating func exactly(_ count: Int, of key: RepeatedNode, level: Int) throws(GrammarError) -> GrammarNode {
        guard count > Self.blockSize else {
            return count == 0 ? .sequence([]) : try exactRule(count, of: key, level: level)
        }
        _ = try series(level + 1, of: key)
        let blocks = try exactly(count / Self.blockSize, of: key, level: level + 1)
        return .sequence([blocks, try exactly(count % Self.blockSize, of: key, level: level)])
    }

    /// Up to `count` times the node of a level and what follows: fewer blocks than that and any rest, or all of them and
    /// the rest that is left.
    private mutating func upTo(
        _ count: Int, of key: RepeatedNode, level: Int, end: [UInt8]
    ) throws(GrammarError) -> GrammarNode {
        guard count > Self.blockSize else { return try upToRule(count, of: key, level: level, end: end) }
        _ = try series(level + 1, of: key)
        let blockCount = count / Self.blockSize
        let some = try upTo(blockCount - 1, of: key, level: level + 1, end: [])
        let all = try exactly(blockCount, of: key, level: level + 1)
        return .choice([
            .sequence([some, try upToRule(Self.blockSize - 1, of: key, level: level, end: end)]),
            .sequence([all, try upToRule(count % Self.blockSize, of: key, level: level, end: end)]),
        ])
    }
}
