/// Makes the automaton of a grammar: Thompson's construction per rule, then without empty steps.
struct AutomatonBuilder {
    struct RawState {
        var empty: [Int32] = []
        var edges: [Automaton.Edge] = []
        var call: (rule: Int32, back: Int32)?
    }

    let syntax: GrammarSyntax
    private var productive: [Bool]
    var raw: [RawState] = []
    private var edgeCount = 0
    var starts: [Int32] = []
    var ends: [Int32] = []
    /// Rules that repetitions add, numbered after the grammar's own.
    private var added: [GrammarNode] = []
    var repeated: [RepeatedNode: [RepeatedSeries]] = [:]

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

    func isProductive(_ node: GrammarNode) -> Bool {
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

    mutating func state() throws(GrammarError) -> Int32 {
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

    mutating func build(_ node: GrammarNode, from: Int32, to: Int32) throws(GrammarError) {
        switch node {
        case .literal(let bytes): try build(bytes, from: from, to: to)
        case .scalars(let set): try build(set, from: from, to: to)
        case .rule(let index):
            // A state of its own, so that nothing else begins where the call does.
            let call = try state()
            raw[Int(from)].empty.append(call)
            raw[Int(call)].call = (Int32(index), to)
        case .sequence(let nodes): try build(sequence: nodes[...], from: from, to: to)
        case .choice(let nodes): try build(choice: nodes, from: from, to: to)
        case .repetition(let node, let least, let most):
            try build(node, least: least, most: most, end: [], from: from, to: to)
        }
    }

    private mutating func build(sequence nodes: ArraySlice<GrammarNode>, from: Int32, to: Int32) throws(GrammarError) {
        var rest = nodes
        var place = from
        while let node = rest.popFirst() {
            // What ends a counted repetition is part of its rules, so that few tokens lead beyond them.
            var end: [UInt8] = []
            if Self.isCounted(node), case .literal(let bytes)? = rest.first {
                end = bytes
                rest = rest.dropFirst()
            }
            let next = rest.isEmpty ? to : try state()
            if case .repetition(let node, let least, let most) = node {
                try build(node, least: least, most: most, end: end, from: place, to: next)
            } else {
                try build(node, from: place, to: next)
            }
            place = next
        }
        if nodes.isEmpty { raw[Int(from)].empty.append(to) }
    }

    /// Adds a rule; its states are built later.
    mutating func add(rule node: GrammarNode) throws(GrammarError) -> GrammarNode {
        added.append(node)
        starts.append(try state())
        ends.append(try state())
        return .rule(starts.count - 1)
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
}
