import Grammar
import Inference
import Scheduling

/// The grammars of all live requests, and where each choice is in its own.
///
/// A mask is a function of the request and the tokens that its choice has. What is kept here only saves the way there, so
/// replays, resumed requests and lost workers change nothing.
struct GrammarDesk {
    private struct Progress {
        var state: GrammarMachine.State
        var tokenCount: Int
    }

    private struct Entry {
        let constraint: GrammarConstraint
        var choices: [Int: Progress] = [:]
    }

    /// What all grammars together may take.
    struct Limits {
        /// Grammars that no request uses.
        var idleCount = 16
        /// States of automata, about 100 bytes each.
        var stateCount = 1 << 19
        /// Bytes of what was found on the way, which can be found anew.
        var keptByteCount = 256 << 20
    }

    private let limits: Limits
    private var entries: [RequestTicket: Entry] = [:]
    /// By the grammar's text, with what was found for earlier requests.
    private var machines: [String: GrammarMachine] = [:]
    private var userCounts: [String: Int] = [:]
    /// Grammars that no request uses, the longest unused first.
    private var idle: [String] = []

    /// Of all machines together.
    private(set) var keptByteCount = 0

    init(limits: Limits = Limits()) { self.limits = limits }

    /// Whether the grammar is here already.
    func knows(_ constraint: GrammarConstraint) -> Bool { machines[constraint.gbnf] != nil }

    /// Takes a grammar in, for requests that open now or soon; throws `EngineError` (`overloaded`) when those that are in
    /// use leave no room.
    mutating func add(_ constraint: GrammarConstraint, _ machine: GrammarMachine) throws(EngineError) {
        guard machines[constraint.gbnf] == nil else { return }
        func stateCount() -> Int { machines.values.reduce(machine.grammar.stateCount) { $0 + $1.grammar.stateCount } }
        while stateCount() > limits.stateCount {
            guard !idle.isEmpty else {
                throw EngineError(
                    code: .overloaded, message: "the grammars in use are too large for one more; try again later",
                    retryAfterSeconds: 10)
            }
            removeIdle()
        }
        machines[constraint.gbnf] = machine
        keptByteCount += machine.keptByteCount
        retire(constraint.gbnf)
        makeRoom()
    }

    /// Checks that the tokens which a resumed request brings keep to its grammar; throws `EngineError` when not.
    mutating func check(_ request: GenerationRequest) throws(EngineError) {
        guard let constraint = request.grammar else { return }
        if let place = idle.firstIndex(of: constraint.gbnf) { idle.append(idle.remove(at: place)) }
        guard var machine = machines.removeValue(forKey: constraint.gbnf) else {
            throw EngineError(code: .internal, message: "the request's grammar is not compiled")
        }
        keptByteCount -= machine.keptByteCount
        defer { putBack(machine, constraint) }
        var state = machine.start(beginsText: constraint.beginsText)
        for (index, token) in request.generated.enumerated() where !machine.advance(&state, by: token) {
            throw EngineError(
                code: .invalidRequest,
                message: "the answer so far does not keep to the grammar, from its token \(index) on",
                parameter: "generated")
        }
    }

    /// Begins a request that was checked.
    mutating func open(_ ticket: RequestTicket, _ request: GenerationRequest) {
        guard let constraint = request.grammar else { return }
        entries[ticket] = Entry(constraint: constraint)
        userCounts[constraint.gbnf, default: 0] += 1
        idle.removeAll { $0 == constraint.gbnf }
    }

    /// Ends a request; others are ignored.
    mutating func close(_ ticket: RequestTicket) {
        guard let gbnf = entries.removeValue(forKey: ticket)?.constraint.gbnf, let count = userCounts[gbnf] else {
            return
        }
        userCounts[gbnf] = count > 1 ? count - 1 : nil
        if count == 1 { retire(gbnf) }
    }

    private mutating func retire(_ gbnf: String) {
        idle.append(gbnf)
        if idle.count > limits.idleCount { removeIdle() }
    }

    private mutating func removeIdle() {
        keptByteCount -= machines.removeValue(forKey: idle.removeFirst())?.keptByteCount ?? 0
    }

    private mutating func putBack(_ machine: GrammarMachine, _ constraint: GrammarConstraint) {
        keptByteCount += machine.keptByteCount
        machines[constraint.gbnf] = machine
        makeRoom()
    }

    /// Grammars that are not in use go first; then all that was found, which costs time and changes nothing.
    private mutating func makeRoom() {
        while keptByteCount > limits.keptByteCount, idle.count > 1 { removeIdle() }
        guard keptByteCount > limits.keptByteCount else { return }
        for gbnf in machines.keys { machines[gbnf]?.giveUp(everything: true) }
        keptByteCount = machines.values.reduce(0) { $0 + $1.keptByteCount }
    }

    /// What may follow the tokens that a choice has; nil when the request has no grammar.
    mutating func mask(_ ticket: RequestTicket, choice: Int, generated: [Int32]) -> TokenMask? {
        // Taken out while in use, so that it is changed in place.
        guard let entry = entries[ticket], var machine = machines.removeValue(forKey: entry.constraint.gbnf) else {
            return nil
        }
        keptByteCount -= machine.keptByteCount
        defer { putBack(machine, entry.constraint) }
        if machine.keepsTooMuch { machine.giveUp() }
        var progress: Progress
        if let known = entry.choices[choice], machine.isCurrent(known.state), known.tokenCount <= generated.count {
            progress = known
        } else {
            progress = Progress(state: machine.start(beginsText: entry.constraint.beginsText), tokenCount: 0)
        }
        for token in generated[progress.tokenCount...] {
            let isAllowed = machine.advance(&progress.state, by: token)
            precondition(isAllowed, "only tokens of the mask are sampled, and those brought along were checked")
        }
        progress.tokenCount = generated.count
        entries[ticket]?.choices[choice] = progress
        return TokenMask(words: machine.mask(progress.state))
    }
}
