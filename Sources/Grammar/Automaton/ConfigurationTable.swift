/// Where an automaton may be after some bytes, and how it goes on: its deterministic form, found as it is needed.
///
/// A configuration is a set of frames: a state, and the context to which its rule returns. A context is a set of frames
/// itself, so ways that come together share one stack. What a configuration goes to depends on its content alone, never
/// on what was found before.
struct ConfigurationTable: Sendable {
    struct Frame: Hashable, Sendable {
        let state: Int32
        let context: Int32

        /// In the outermost context: the grammar's own end.
        static let bottom = Frame(state: -1, context: -1)
    }

    struct Configuration: Hashable, Sendable {
        /// In the order in which they were found; those from which a byte leads on.
        let frames: [Frame]
        /// Whether everything may end here.
        let isComplete: Bool
        /// What it costs to go on from here.
        let cost: Int

        init(frames: [Frame], isComplete: Bool, states: [Automaton.State]) {
            self.frames = frames
            self.isComplete = isComplete
            cost = frames.reduce(1) { $0 + states[Int($1.state)].cost }
        }
    }

    static let dead: Int32 = -1
    private static let unknown: Int32 = -2
    /// The context outside of everything.
    static let outermost: Int32 = 0

    let automaton: Automaton
    private(set) var configurations: [Configuration] = []
    private var numbers: [Configuration: Int32] = [:]
    private var contexts: [[Frame]] = []
    private var contextNumbers: [[Frame]: Int32] = [:]
    /// Per configuration and class of bytes.
    private var transitions: [Int32] = []
    private var returns: [Int32: Int32] = [:]
    private(set) var frameCount = 0

    /// Of everything that was found, about; what is a key as well as a value counts twice.
    var byteCount: Int {
        let perConfiguration =
            2 * MemoryLayout<Configuration>.stride + MemoryLayout<Int32>.stride * automaton.classCount
        return 2 * frameCount * MemoryLayout<Frame>.stride + configurations.count * perConfiguration
    }

    init(_ automaton: Automaton) {
        self.automaton = automaton
        _ = context([.bottom])
    }

    /// The configuration before the first byte.
    mutating func start() -> Int32 {
        close([], calling: [(automaton.root, [.bottom])], isComplete: rootIsEmpty)
    }

    private var rootIsEmpty: Bool {
        automaton.states[Int(automaton.starts[Int(automaton.root)])].isFinal
    }

    /// The configuration of one state whose rule returns to the outermost context.
    mutating func alone(_ state: Int32) -> Int32 {
        number([Frame(state: state, context: Self.outermost)], isComplete: false)
    }

    /// Where a return to a context leads; nil when only to the end.
    mutating func returning(to context: Int32) -> Int32? {
        if let known = returns[context] { return known == Self.dead ? nil : known }
        var isComplete = false
        var reached: [Frame] = []
        var seen: Set<Frame> = []
        Self.pop(contexts[Int(context)], contexts, automaton, &reached, &seen, &isComplete)
        let configuration = close(reached, calling: [], isComplete: isComplete)
        let leadsOn = !configurations[Int(configuration)].frames.isEmpty
        returns[context] = leadsOn ? configuration : Self.dead
        return leadsOn ? configuration : nil
    }

    /// The configuration after a byte; `dead` when it is none that may come.
    mutating func next(_ configuration: Int32, _ byte: UInt8) -> Int32 {
        let place = Int(configuration) * automaton.classCount + Int(automaton.classes[Int(byte)])
        let known = transitions[place]
        if known != Self.unknown { return known }
        let found = find(configuration, automaton.representatives[Int(automaton.classes[Int(byte)])])
        transitions[place] = found
        return found
    }

    private mutating func find(_ configuration: Int32, _ byte: UInt8) -> Int32 {
        var isComplete = false
        var reached: [Frame] = []
        var seen: Set<Frame> = []
        for frame in configurations[Int(configuration)].frames {
            for edge in automaton.states[Int(frame.state)].edges where edge.bytes.contains(byte) {
                let frame = Frame(state: edge.target, context: frame.context)
                guard reached.count < GrammarLimits.frameCount, seen.insert(frame).inserted else { continue }
                reached.append(frame)
            }
        }
        guard !reached.isEmpty else { return Self.dead }
        // Those added on the way have their own ends behind them.
        for frame in reached where automaton.states[Int(frame.state)].isFinal {
            Self.pop(contexts[Int(frame.context)], contexts, automaton, &reached, &seen, &isComplete)
        }
        return close(reached, calling: [], isComplete: isComplete)
    }

    /// Adds the frames of a context, and of those behind where these may end at once.
    private static func pop(
        _ frames: [Frame], _ contexts: [[Frame]], _ automaton: Automaton, _ reached: inout [Frame],
        _ seen: inout Set<Frame>, _ isComplete: inout Bool
    ) {
        // Those that are there already take no room from these.
        let limit = reached.count + GrammarLimits.frameCount
        var pending = Array(frames.reversed())
        while let frame = pending.popLast() {
            if frame == .bottom {
                isComplete = true
                continue
            }
            guard reached.count < limit, seen.insert(frame).inserted else { continue }
            reached.append(frame)
            if automaton.states[Int(frame.state)].isFinal {
                pending.append(contentsOf: contexts[Int(frame.context)].reversed())
            }
        }
    }

    /// Begins the rules that the frames call, and those that these call.
    private mutating func close(
        _ reached: [Frame], calling initial: [(rule: Int32, back: [Frame])], isComplete: Bool
    ) -> Int32 {
        var frames = reached
        // By rank; each rule's callers are complete once its turn comes.
        var callers: [Int32: (frames: [Frame], seen: Set<Frame>)] = [:]
        var pending: [(rank: Int32, rule: Int32)] = []
        func call(_ rule: Int32, back: some Sequence<Frame>) {
            if callers[rule] == nil {
                let rank = automaton.ranks[Int(rule)]
                let place = pending.firstIndex { $0.rank < rank } ?? pending.endIndex
                pending.insert((rank, rule), at: place)
            }
            var known = callers[rule] ?? ([], [])
            callers[rule] = nil
            for frame in back where known.frames.count < GrammarLimits.frameCount && known.seen.insert(frame).inserted {
                known.frames.append(frame)
            }
            callers[rule] = known
        }
        func follow(_ frame: Frame) {
            for next in automaton.states[Int(frame.state)].calls {
                if let back = next.back {
                    call(next.rule, back: CollectionOfOne(Frame(state: back, context: frame.context)))
                } else {
                    call(next.rule, back: contexts[Int(frame.context)])
                }
            }
        }
        for (rule, back) in initial { call(rule, back: back) }
        for frame in reached { follow(frame) }
        while let (_, rule) = pending.popLast() {
            let context = context(callers[rule]?.frames ?? [])
            let frame = Frame(state: automaton.starts[Int(rule)], context: context)
            frames.append(frame)
            follow(frame)
        }
        var kept: Set<Frame> = []
        let leading =
            frames
            .filter { !automaton.states[Int($0.state)].edges.isEmpty && kept.insert($0).inserted }
            .prefix(GrammarLimits.frameCount)
        return number(Array(leading), isComplete: isComplete)
    }

    private mutating func number(_ frames: [Frame], isComplete: Bool) -> Int32 {
        let configuration = Configuration(frames: frames, isComplete: isComplete, states: automaton.states)
        if let number = numbers[configuration] { return number }
        let number = Int32(configurations.count)
        numbers[configuration] = number
        configurations.append(configuration)
        frameCount += configuration.frames.count
        transitions.append(contentsOf: repeatElement(Self.unknown, count: automaton.classCount))
        return number
    }

    private mutating func context(_ frames: [Frame]) -> Int32 {
        if let number = contextNumbers[frames] { return number }
        let number = Int32(contexts.count)
        contextNumbers[frames] = number
        contexts.append(frames)
        frameCount += frames.count
        return number
    }
}
