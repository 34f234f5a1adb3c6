/// Which tokens may come next in answers that keep to a grammar, for one vocabulary.
///
///     var machine = GrammarMachine(grammar, vocabulary)
///     var state = machine.start(beginsText: true)
///     let mask = machine.mask(state)          // bit `id`: the token may come
///     machine.advance(&state, by: token)      // false when it may not
///
/// What a state's own rule accepts of the vocabulary is found once per state of the automaton, and the few tokens that go
/// beyond the rule's end are looked at with what the rule returns to; so the mask of a new place costs little. Equal
/// grammars, vocabularies and tokens give equal masks, whatever was asked before.
public struct GrammarMachine: Sendable {
    /// A place in an answer.
    public struct State: Hashable, Sendable {
        fileprivate var configuration: Int32
        fileprivate let generation: Int
        /// A space at the very beginning that is no part of the text.
        fileprivate var dropsSpace: Bool
        /// The end token came.
        public fileprivate(set) var hasEnded = false
    }

    /// What the automaton's state accepts by itself.
    private struct Local: Sendable {
        var tokens: [Int32] = []
        /// The same as a mask, when they are many.
        var words: [UInt64] = []
        /// Nodes of the vocabulary's tree at which the state's rule may be over, with more tokens below.
        var exits: [Int32] = []
        /// Whether it was too much to look at everything.
        var isCut = false
    }

    public let vocabulary: TokenVocabulary
    public let grammar: Grammar
    private var table: ConfigurationTable
    private var locals: [Int32: Local] = [:]
    private var masks: [Int32: [UInt64]] = [:]
    private var maskByteCount = 0
    private var localByteCount = 0
    /// Rises when everything that was kept is given up, and states with it.
    private var generation = 0
    private var path: [Int32]
    private var walkedNodeCount = 0

    public init(_ grammar: Grammar, _ vocabulary: TokenVocabulary) {
        self.grammar = grammar
        self.vocabulary = vocabulary
        table = ConfigurationTable(grammar.automaton)
        path = Array(repeating: 0, count: vocabulary.maxDepth + 1)
    }

    /// The beginning of an answer.
    ///
    /// - Parameter beginsText: Whether the answer is a text of its own, in which the vocabulary's dummy prefix does not
    ///   count; otherwise it goes on after other text.
    public mutating func start(beginsText: Bool) -> State {
        State(
            configuration: table.start(), generation: generation, dropsSpace: beginsText && vocabulary.hasDummyPrefix)
    }

    /// Looks at the places of the grammar beforehand, as many as a bounded number of the vocabulary's nodes allows.
    public mutating func prepare() {
        var state: Int32 = 0
        walkedNodeCount = 0
        while Int(state) < grammar.automaton.states.count, walkedNodeCount < GrammarLimits.preparedNodeCount,
            localByteCount < GrammarLimits.keptLocalByteCount / 2
        {
            if !grammar.automaton.states[Int(state)].edges.isEmpty { _ = local(state) }
            state += 1
        }
    }

    /// Whether a state can be used; those from before memory was given up cannot, and their tokens must be told again.
    public func isCurrent(_ state: State) -> Bool { state.generation == generation }

    /// Whether the answer may end here.
    public func isComplete(_ state: State) -> Bool {
        !state.hasEnded && table.configurations[Int(state.configuration)].isComplete
    }

    /// Takes the next token; false, and nothing happens, when it may not come.
    public mutating func advance(_ state: inout State, by token: Int32) -> Bool {
        precondition(isCurrent(state), "the state is of this generation")
        guard !state.hasEnded else { return false }
        if vocabulary.isEnd(token) {
            guard isComplete(state) else { return false }
            state.hasEnded = true
            return true
        }
        var text = vocabulary.text(token)
        guard !text.isEmpty else { return false }
        if state.dropsSpace, text.first == 0x20 { text = text.dropFirst() }
        var configuration = state.configuration
        for byte in text {
            configuration = table.next(configuration, byte)
            if configuration == ConfigurationTable.dead { return false }
        }
        state.configuration = configuration
        state.dropsSpace = false
        return true
    }

    /// The tokens that may come next: bit `id % 64` of word `id / 64`. After the end there are none.
    public mutating func mask(_ state: State) -> [UInt64] {
        precondition(isCurrent(state), "the state is of this generation")
        guard !state.hasEnded else { return Array(repeating: 0, count: vocabulary.maskWordCount) }
        if state.dropsSpace { return firstMask(state.configuration) }
        if let mask = masks[state.configuration] { return mask }
        if maskByteCount > GrammarLimits.keptMaskByteCount {
            masks = [:]
            maskByteCount = 0
        }
        let mask = makeMask(state.configuration)
        maskByteCount += mask.count * 8
        masks[state.configuration] = mask
        return mask
    }

    /// Whether so much is kept that `giveUp` should be called, between two answers' tokens.
    public var keepsTooMuch: Bool {
        table.frameCount > GrammarLimits.keptFrameCount
            || table.configurations.count > GrammarLimits.keptConfigurationCount
    }

    /// Bytes of everything that was found and can be found anew, about.
    public var keptByteCount: Int { table.byteCount + maskByteCount + localByteCount }

    /// Gives up the places that were found; states from before are not current any more.
    ///
    /// - Parameter everything: Also what the automaton's states accept by themselves, which takes longest to find anew.
    public mutating func giveUp(everything: Bool = false) {
        table = ConfigurationTable(grammar.automaton)
        masks = [:]
        maskByteCount = 0
        generation += 1
        guard everything else { return }
        locals = [:]
        localByteCount = 0
    }

    // MARK: Masks

    private mutating func makeMask(_ configuration: Int32) -> [UInt64] {
        var mask = Array(repeating: UInt64(0), count: vocabulary.maskWordCount)
        let frames = table.configurations[Int(configuration)].frames
        if table.configurations[Int(configuration)].isComplete {
            for token in vocabulary.endTokens { Self.set(token, &mask) }
        }
        var budget = WalkBudget(GrammarLimits.walk)
        var isWhole = true
        if frames.count > GrammarLimits.separateFrameCount {
            isWhole = walk(below: nil, from: configuration, &budget) { tokens, _ in
                for token in tokens { Self.set(token, &mask) }
            }
        } else {
            for frame in frames where !add(frame, &budget, to: &mask) { isWhole = false }
        }
        if !isWhole { addSingleBytes(configuration, &mask) }
        return mask
    }

    /// Adds the tokens that one frame accepts; false when some may be left out.
    private mutating func add(
        _ frame: ConfigurationTable.Frame, _ budget: inout WalkBudget, to mask: inout [UInt64]
    ) -> Bool {
        let local = local(frame.state)
        var isWhole = !local.isCut
        if local.words.isEmpty {
            for token in local.tokens { Self.set(token, &mask) }
        } else {
            for index in mask.indices { mask[index] |= local.words[index] }
        }
        guard !local.exits.isEmpty, let outside = table.returning(to: frame.context) else { return isWhole }
        for exit in local.exits where isWhole {
            isWhole = walk(below: Int(exit), from: outside, &budget) { tokens, _ in
                for token in tokens { Self.set(token, &mask) }
            }
        }
        return isWhole
    }

    /// The mask where a token's first space does not count: tokens with it as if they had none, and those without.
    private mutating func firstMask(_ configuration: Int32) -> [UInt64] {
        var mask = makeMask(configuration)
        guard let space = vocabulary.child(ofRoot: 0x20) else { return mask }
        for node in space..<Int(vocabulary.ends[space]) {
            for token in vocabulary.tokens(at: node) { Self.clear(token, &mask) }
        }
        for token in vocabulary.tokens(at: space) { Self.set(token, &mask) }
        var budget = WalkBudget(GrammarLimits.walk)
        _ = walk(below: space, from: configuration, &budget) { tokens, _ in
            for token in tokens { Self.set(token, &mask) }
        }
        return mask
    }

    private static func set(_ token: Int32, _ mask: inout [UInt64]) {
        mask[Int(token) >> 6] |= 1 << UInt64(token & 63)
    }

    private static func clear(_ token: Int32, _ mask: inout [UInt64]) {
        mask[Int(token) >> 6] &= ~(1 << UInt64(token & 63))
    }

    /// Where not everything could be looked at, there is always a single byte that leads on.
    private mutating func addSingleBytes(_ configuration: Int32, _ mask: inout [UInt64]) {
        var node = 0
        while node < vocabulary.bytes.count {
            if table.next(configuration, vocabulary.bytes[node]) != ConfigurationTable.dead {
                for token in vocabulary.tokens(at: node) { Self.set(token, &mask) }
            }
            node = Int(vocabulary.ends[node])
        }
    }

    private mutating func local(_ state: Int32) -> Local {
        if let local = locals[state] { return local }
        if localByteCount > GrammarLimits.keptLocalByteCount {
            locals = [:]
            localByteCount = 0
        }
        var local = Local()
        let alone = table.alone(state)
        var budget = WalkBudget(GrammarLimits.localWalk)
        var tokens: [Int32] = []
        var exits: [Int32] = []
        local.isCut = !walk(below: nil, from: alone, &budget) { found, exit in
            tokens.append(contentsOf: found)
            if let exit { exits.append(Int32(exit)) }
        }
        local.exits = exits
        if tokens.count > vocabulary.maskWordCount {
            local.words = Array(repeating: 0, count: vocabulary.maskWordCount)
            for token in tokens { Self.set(token, &local.words) }
        } else {
            local.tokens = tokens
        }
        localByteCount +=
            2 * MemoryLayout<Local>.stride + local.words.count * 8 + (local.tokens.count + local.exits.count) * 4
        locals[state] = local
        return local
    }

    /// What a walk may cost, counted so that it does not depend on what is known already.
    private struct WalkBudget {
        private let limit: (configurationCount: Int, cost: Int)
        private var seen: Set<Int32> = []
        private var cost = 0

        init(_ limit: (configurationCount: Int, cost: Int)) { self.limit = limit }

        /// Counts a configuration; false when it is one too many.
        mutating func take(_ configuration: Int32, cost: Int) -> Bool {
            guard seen.insert(configuration).inserted else { return true }
            self.cost += cost
            return seen.count <= limit.configurationCount && self.cost <= limit.cost
        }
    }

    /// Follows the vocabulary's tree below a node (the root when nil) and reports the tokens of every node that can be
    /// reached, and the node itself where the configuration may be over with more nodes below.
    ///
    /// - Returns: false when it was too much and something is left out.
    private mutating func walk(
        below node: Int?, from configuration: Int32, _ budget: inout WalkBudget,
        _ found: (_ tokens: ArraySlice<Int32>, _ exit: Int?) -> Void
    ) -> Bool {
        let end = node.map { Int(vocabulary.ends[$0]) } ?? vocabulary.bytes.count
        path[node.map { Int(vocabulary.depths[$0]) } ?? 0] = configuration
        var last = ConfigurationTable.dead
        var index = node.map { $0 + 1 } ?? 0
        while index < end {
            walkedNodeCount += 1
            let depth = Int(vocabulary.depths[index])
            let next = table.next(path[depth - 1], vocabulary.bytes[index])
            guard next != ConfigurationTable.dead else {
                index = Int(vocabulary.ends[index])
                continue
            }
            if next != last {
                guard budget.take(next, cost: table.configurations[Int(next)].cost) else { return false }
                last = next
            }
            path[depth] = next
            let isExit = table.configurations[Int(next)].isComplete && Int(vocabulary.ends[index]) > index + 1
            found(vocabulary.tokens(at: index), isExit ? index : nil)
            index += 1
        }
        return true
    }
}

extension TokenVocabulary {
    /// The tokens that a node completes.
    func tokens(at node: Int) -> ArraySlice<Int32> { tokens[Int(firstTokens[node])..<Int(firstTokens[node + 1])] }
}
