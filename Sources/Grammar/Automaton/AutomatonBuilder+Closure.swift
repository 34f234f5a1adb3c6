// Without empty steps: what a state leads to at once becomes its own.
extension AutomatonBuilder {
    func automaton() throws(GrammarError) -> Automaton {
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
