/// Makes the automaton of a grammar: Thompson's construction per rule, then without empty steps.
struct AutomatonBuilder {
    private struct RawState {
        var empty: [Int32] = []
        var edges: [Automaton.Edge] = []
        var call: (rule: Int32, back: Int32)?
    }

    private let syntax: GrammarSyntax
    private var productive: [Bool]
    private var raw: [RawState] = []
    private var edgeCount = 0
    private var starts: [Int32] = []
    private var ends: [Int32] = []
    /// Rules that repetitions add, numbered after the grammar's own.
    private var added: [GrammarNode] = []

    /// Repetitions are made of blocks of so many.
    private static let blockSize = 32

    static func build(_ syntax: GrammarSyntax) throws(GrammarError) -> Automaton {
        var builder = AutomatonBuilder(syntax)
        guard builder.productive[syntax.root] else {
            throw GrammarError("the grammar's rule 'root' can never end: every way through it comes back to itself")
        }
        try builder.buildRules()
        return try builder.automaton()
    }

    private init(_ syntax: GrammarSyntax) {
        self.syntax = syntax
        productive = Array(repeating: false, count: syntax.rules.count)
        findProductive()
    }

    // MARK: Rules that can end

    /// A rule is known to end once all that it needs are: each is looked at again only when one that it names is found.
    private mutating func findProductive() {
        var users: [[Int]] = Array(repeating: [], count: syntax.rules.count)
        for (index, rule) in syntax.rules.enumerated() { Self.forEachRule(in: rule) { users[$0].append(index) } }
        var pending = Array(syntax.rules.indices)
        while let index = pending.popLast() {
            guard !productive[index], isProductive(syntax.rules[index]) else { continue }
            productive[index] = true
            pending += users[index].filter { !productive[$0] }
        }
    }

    private static func forEachRule(in node: GrammarNode, _ visit: (Int) -> Void) {
        switch node {
        case .literal, .scalars: break
        case .rule(let index): visit(index)
        case .sequence(let nodes), .choice(let nodes): for node in nodes { forEachRule(in: node, visit) }
        case .repetition(let node, _, _): forEachRule(in: node, visit)
        }
    }

    private func isProductive(_ node: GrammarNode) -> Bool {
        switch node {
        case .literal: true
        case .scalars(let set): !set.isEmpty
        // Added rules are made of productive nodes only.
        case .rule(let index): index >= productive.count || productive[index]
        case .sequence(let nodes): nodes.allSatisfy(isProductive)
        case .choice(let nodes): nodes.contains(where: isProductive)
        case .repetition(let node, let least, _): least == 0 || isProductive(node)
        }
    }

    // MARK: Construction

    private mutating func buildRules() throws(GrammarError) {
        for _ in syntax.rules {
            starts.append(try state())
            ends.append(try state())
        }
        for index in syntax.rules.indices {
            if productive[index] { try build(syntax.rules[index], from: starts[index], to: ends[index]) }
        }
        var next = 0
        while next < added.count {
            let index = syntax.rules.count + next
            try build(added[next], from: starts[index], to: ends[index])
            next += 1
        }
    }

    private mutating func state() throws(GrammarError) -> Int32 {
        guard raw.count < GrammarLimits.stateCount else {
            throw GrammarError(
                "the grammar is too large: it needs more than \(GrammarLimits.stateCount) states; make it simpler")
        }
        raw.append(RawState())
        return Int32(raw.count - 1)
    }

    private mutating func add(_ bytes: ClosedRange<UInt8>, from: Int32, to: Int32) throws(GrammarError) {
        edgeCount += 1
        guard edgeCount <= GrammarLimits.edgeCount else {
            throw GrammarError("the grammar is too large: more than \(GrammarLimits.edgeCount) edges; make it simpler")
        }
        raw[Int(from)].edges.append(Automaton.Edge(bytes: bytes, target: to))
    }

    private mutating func build(_ node: GrammarNode, from: Int32, to: Int32) throws(GrammarError) {
        switch node {
        case .literal(let bytes): try build(bytes, from: from, to: to)
        case .scalars(let set): try build(set, from: from, to: to)
        case .rule(let index):
            // A state of its own, so that nothing else begins where the call does.
            let call = try state()
            raw[Int(from)].empty.append(call)
            raw[Int(call)].call = (Int32(index), to)
        case .sequence(let nodes):
            var place = from
            for (index, node) in nodes.enumerated() {
                let next = index == nodes.count - 1 ? to : try state()
                try build(node, from: place, to: next)
                place = next
            }
            if nodes.isEmpty { raw[Int(from)].empty.append(to) }
        case .choice(let nodes): try build(choice: nodes, from: from, to: to)
        case .repetition(let node, let least, let most):
            try build(node, least: least, most: most, from: from, to: to)
        }
    }

    private mutating func build(_ bytes: [UInt8], from: Int32, to: Int32) throws(GrammarError) {
        var place = from
        for (index, byte) in bytes.enumerated() {
            let next = index == bytes.count - 1 ? to : try state()
            try add(byte...byte, from: place, to: next)
            place = next
        }
        if bytes.isEmpty { raw[Int(from)].empty.append(to) }
    }

    private mutating func build(_ set: ScalarSet, from: Int32, to: Int32) throws(GrammarError) {
        // Characters with the same continuation bytes share the states for them.
        var shared: [Automaton.Edge: Int32] = [:]
        for sequence in set.byteSequences {
            var target = to
            for bytes in sequence.dropFirst().reversed() {
                let edge = Automaton.Edge(bytes: bytes, target: target)
                if let place = shared[edge] {
                    target = place
                } else {
                    let place = try state()
                    try add(bytes, from: place, to: target)
                    shared[edge] = place
                    target = place
                }
            }
            if let first = sequence.first { try add(first, from: from, to: target) }
        }
    }

    private mutating func build(choice nodes: [GrammarNode], from: Int32, to: Int32) throws(GrammarError) {
        // Literals share what they have in common, so that a long list of them stays one way to follow.
        struct Step: Hashable {
            let place: Int32
            let byte: UInt8
        }
        var shared: [Step: Int32] = [:]
        for node in nodes where isProductive(node) {
            guard case .literal(let bytes) = node, let last = bytes.last else {
                try build(node, from: from, to: to)
                continue
            }
            var place = from
            for byte in bytes.dropLast() {
                let step = Step(place: place, byte: byte)
                if let next = shared[step] {
                    place = next
                } else {
                    let next = try state()
                    try add(byte...byte, from: place, to: next)
                    shared[step] = next
                    place = next
                }
            }
            try add(last...last, from: place, to: to)
        }
    }

    // MARK: Repetition

    private mutating func build(
        _ node: GrammarNode, least: Int, most: Int?, from: Int32, to: Int32
    ) throws(GrammarError) {
        guard isProductive(node), most != 0 else {
            raw[Int(from)].empty.append(to)
            return
        }
        var blocks = [node]
        let middle = try state()
        try build(least, of: &blocks, level: 0, from: from, to: middle)
        if let most {
            try build(upTo: most - least, of: &blocks, level: 0, from: middle, to: to)
        } else {
            let again = try state()
            try build(node, from: middle, to: again)
            raw[Int(again)].empty.append(middle)
            raw[Int(middle)].empty.append(to)
        }
    }

    /// What stands for `blockSize` to the power of `level` copies of the node: a rule, so that its states are few.
    private mutating func block(_ level: Int, of blocks: inout [GrammarNode]) throws(GrammarError) -> GrammarNode {
        while blocks.count <= level {
            added.append(.sequence(Array(repeating: blocks[blocks.count - 1], count: Self.blockSize)))
            starts.append(try state())
            ends.append(try state())
            blocks.append(.rule(starts.count - 1))
        }
        return blocks[level]
    }

    /// Exactly `count` times the block of a level.
    private mutating func build(
        _ count: Int, of blocks: inout [GrammarNode], level: Int, from: Int32, to: Int32
    ) throws(GrammarError) {
        var place = from
        if count > Self.blockSize {
            place = try state()
            try build(count / Self.blockSize, of: &blocks, level: level + 1, from: from, to: place)
        }
        let rest = count > Self.blockSize ? count % Self.blockSize : count
        let node = try block(level, of: &blocks)
        for _ in 0..<rest {
            let next = try state()
            try build(node, from: place, to: next)
            place = next
        }
        raw[Int(place)].empty.append(to)
    }

    /// Up to `count` times the block of a level: fewer blocks of the next level and any rest, or all of them and the
    /// rest that is left.
    private mutating func build(
        upTo count: Int, of blocks: inout [GrammarNode], level: Int, from: Int32, to: Int32
    ) throws(GrammarError) {
        guard count > Self.blockSize else {
            let node = try block(level, of: &blocks)
            var place = from
            for _ in 0..<count {
                raw[Int(place)].empty.append(to)
                let next = try state()
                try build(node, from: place, to: next)
                place = next
            }
            raw[Int(place)].empty.append(to)
            return
        }
        let blockCount = count / Self.blockSize
        let some = try state()
        let all = try state()
        try build(upTo: blockCount - 1, of: &blocks, level: level + 1, from: from, to: some)
        try build(upTo: Self.blockSize - 1, of: &blocks, level: level, from: some, to: to)
        try build(blockCount, of: &blocks, level: level + 1, from: from, to: all)
        try build(upTo: count % Self.blockSize, of: &blocks, level: level, from: all, to: to)
    }

    // MARK: Without empty steps

    private func automaton() throws(GrammarError) -> Automaton {
        let nullable = nullableRules()
        var ruleOfEnd: Set<Int32> = []
        for end in ends { ruleOfEnd.insert(end) }
        // Only states that something leads to are kept.
        var numbers: [Int32: Int32] = [:]
        var order: [Int32] = []
        func number(_ state: Int32) -> Int32 {
            if let number = numbers[state] { return number }
            numbers[state] = Int32(order.count)
            order.append(state)
            return Int32(order.count - 1)
        }
        let firsts = starts.map { number($0) }
        var states: [Automaton.State] = []
        var closedEdgeCount = 0
        while states.count < order.count {
            var state = Automaton.State()
            var edges: Set<Automaton.Edge> = []
            var calls: Set<Automaton.Call> = []
            for member in closure(order[states.count], nullable) {
                if ruleOfEnd.contains(member) { state.isFinal = true }
                for edge in raw[Int(member)].edges {
                    let edge = Automaton.Edge(bytes: edge.bytes, target: number(edge.target))
                    if edges.insert(edge).inserted { state.edges.append(edge) }
                }
                if let raw = raw[Int(member)].call {
                    let back = endsOnly(raw.back, ruleOfEnd, nullable) ? nil : number(raw.back)
                    let call = Automaton.Call(rule: raw.rule, back: back)
                    if calls.insert(call).inserted { state.calls.append(call) }
                }
            }
            closedEdgeCount += state.edges.count + state.calls.count
            guard closedEdgeCount <= GrammarLimits.edgeCount else {
                throw GrammarError("the grammar is too large: more than \(GrammarLimits.edgeCount) edges")
            }
            states.append(state)
        }
        let ranks = try ranks(states, firsts)
        try Self.addCosts(ranks, firsts, to: &states)
        let (classes, classCount) = Self.classes(states)
        return Automaton(
            states: states, starts: firsts, ranks: ranks, root: Int32(syntax.root), classes: classes,
            classCount: classCount,
            representatives: (0..<classCount).map { number in
                UInt8(classes.firstIndex { Int($0) == number } ?? 0)
            })
    }

    private func closure(_ state: Int32, _ nullable: [Bool]) -> [Int32] {
        var members = [state]
        var seen: Set<Int32> = [state]
        var next = 0
        while next < members.count {
            let member = raw[Int(members[next])]
            for target in member.empty where seen.insert(target).inserted { members.append(target) }
            if let call = member.call, nullable[Int(call.rule)], seen.insert(call.back).inserted {
                members.append(call.back)
            }
            next += 1
        }
        return members
    }

    /// Whether nothing but the rule's end follows a state.
    private func endsOnly(_ state: Int32, _ ends: Set<Int32>, _ nullable: [Bool]) -> Bool {
        closure(state, nullable).allSatisfy { raw[Int($0)].edges.isEmpty && raw[Int($0)].call == nil }
    }

    /// Rules that may be empty: their end is reached from their start without a byte.
    private func nullableRules() -> [Bool] {
        var nullable = Array(repeating: false, count: starts.count)
        var reached = starts.map { Set([$0]) }
        var pending: [(rule: Int, state: Int32)] = starts.enumerated().map { ($0.offset, $0.element) }
        // Calls that wait for their rule to be found empty, with the rule that they stand in.
        var waiting: [Int: [(rule: Int, back: Int32)]] = [:]
        while let (rule, state) = pending.popLast() {
            func reach(_ target: Int32, in rule: Int) {
                if reached[rule].insert(target).inserted { pending.append((rule, target)) }
            }
            if state == ends[rule], !nullable[rule] {
                nullable[rule] = true
                for call in waiting.removeValue(forKey: rule) ?? [] { reach(call.back, in: call.rule) }
            }
            for target in raw[Int(state)].empty { reach(target, in: rule) }
            if let call = raw[Int(state)].call {
                if nullable[Int(call.rule)] {
                    reach(call.back, in: rule)
                } else {
                    waiting[Int(call.rule), default: []].append((rule, call.back))
                }
            }
        }
        return nullable
    }

    /// Orders the rules by what they call at their beginnings; throws when that goes in a circle.
    private func ranks(_ states: [Automaton.State], _ firsts: [Int32]) throws(GrammarError) -> [Int32] {
        var callerCounts = Array(repeating: 0, count: firsts.count)
        let called = firsts.map { Set(states[Int($0)].calls.map { Int($0.rule) }) }
        for rules in called { for rule in rules { callerCounts[rule] += 1 } }
        var pending = callerCounts.indices.filter { callerCounts[$0] == 0 }
        var ranks = Array(repeating: Int32(-1), count: firsts.count)
        var next: Int32 = 0
        while let rule = pending.popLast() {
            ranks[rule] = next
            next += 1
            for callee in called[rule] {
                callerCounts[callee] -= 1
                if callerCounts[callee] == 0 { pending.append(callee) }
            }
        }
        if let circular = syntax.ruleNames.indices.first(where: { ranks[$0] < 0 }) ?? ranks.firstIndex(of: -1) {
            let name = circular < syntax.ruleNames.count ? "'\(syntax.ruleNames[circular])'" : "of a repetition"
            throw GrammarError(
                "the grammar is left-recursive: the rule \(name) can begin with itself, by way of others perhaps; "
                    + "write it as a repetition, or with the recursion at the end")
        }
        return ranks
    }

    /// Counts, without looking for those that come twice, the rules that begin after each state's bytes.
    private static func addCosts(
        _ ranks: [Int32], _ firsts: [Int32], to states: inout [Automaton.State]
    ) throws(GrammarError) {
        var ruleCosts = Array(repeating: 0, count: firsts.count)
        func cost(_ state: Int32) -> Int {
            Set(states[Int(state)].calls.map(\.rule)).reduce(0) { min($0 + ruleCosts[Int($1)], 1 << 30) }
        }
        for rule in firsts.indices.sorted(by: { ranks[$0] > ranks[$1] }) {
            ruleCosts[rule] = min(1 + cost(firsts[rule]), firsts.count)
        }
        for index in states.indices {
            let most = states[index].edges.reduce(0) { max($0, cost($1.target)) }
            guard most <= GrammarLimits.beginningRuleCount else {
                throw GrammarError(
                    "the grammar is too large: more than \(GrammarLimits.beginningRuleCount) rules may begin at one place; "
                        + "make it simpler")
            }
            states[index].cost = 1 + most
        }
    }

    private static func classes(_ states: [Automaton.State]) -> (classes: [UInt8], count: Int) {
        // Two bytes are of one class unless some edge begins or ends between them: finer than needed, and quick.
        var isCut = Array(repeating: false, count: 257)
        for state in states {
            for edge in state.edges {
                isCut[Int(edge.bytes.lowerBound)] = true
                isCut[Int(edge.bytes.upperBound) + 1] = true
            }
        }
        var classes: [UInt8] = []
        var number = 0
        for byte in 0..<256 {
            if byte > 0 && isCut[byte] { number += 1 }
            classes.append(UInt8(number))
        }
        return (classes, number + 1)
    }
}
