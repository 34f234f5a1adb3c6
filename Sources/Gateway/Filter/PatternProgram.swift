/// The regular expressions of all rules as one program for a machine without a way back.
struct PatternProgram: Hashable, Sendable {
    enum Instruction: Hashable, Sendable {
        case scalars(ScalarSet)
        /// Goes on at both.
        case split(Int, Int)
        case assertion(PatternTree.Assertion)
        case accept(rule: Int)
    }

    /// Every scalar of a text costs at most as many steps as there are instructions.
    static let maxInstructionCount = 4096

    private(set) var instructions: [Instruction] = []
    private(set) var entries: [Int] = []

    /// Adds a rule's expression; false when the program becomes too long.
    mutating func add(_ tree: PatternTree, rule: Int) -> Bool {
        entries.append(instructions.count)
        emit(tree)
        instructions.append(.accept(rule: rule))
        return instructions.count <= Self.maxInstructionCount
    }

    private mutating func emit(_ tree: PatternTree) {
        // What comes beyond is refused as a whole.
        guard instructions.count <= Self.maxInstructionCount else { return }
        switch tree {
        case .empty: break
        case .scalars(let set): instructions.append(.scalars(set))
        case .assertion(let assertion): instructions.append(.assertion(assertion))
        case .sequence(let parts): for part in parts { emit(part) }
        case .choice(let branches): emit(branches)
        case .repetition(let inner, let least, let most):
            for _ in 0..<least {
                let count = instructions.count
                emit(inner)
                // Nothing, however often.
                if instructions.count == count { break }
            }
            guard let most else { return emitLoop(inner) }
            for _ in least..<max(most, least) { emitOption(inner) }
        }
    }

    private mutating func emit(_ branches: [PatternTree]) {
        var ends: [Int] = []
        for branch in branches.dropLast() {
            let split = instructions.count
            instructions.append(.split(split + 1, split))
            emit(branch)
            ends.append(instructions.count)
            instructions.append(.split(0, 0))
            instructions[split] = .split(split + 1, instructions.count)
        }
        emit(branches[branches.count - 1])
        for end in ends { instructions[end] = .split(instructions.count, instructions.count) }
    }

    private mutating func emitLoop(_ inner: PatternTree) {
        let split = instructions.count
        instructions.append(.split(split, split))
        emit(inner)
        instructions.append(.split(split, split))
        instructions[split] = .split(split + 1, instructions.count)
    }

    private mutating func emitOption(_ inner: PatternTree) {
        let split = instructions.count
        instructions.append(.split(split, split))
        emit(inner)
        instructions[split] = .split(split + 1, instructions.count)
    }
}

/// Runs a program over a text that comes scalar by scalar (Thompson's simulation, https://swtch.com/~rsc/regexp/regexp1.html):
/// all possible matches at once, so time is linear in the text whatever the pattern.
struct PatternMatcher: Sendable {
    private struct Thread {
        let instruction: Int
        let start: Int
    }

    private let program: PatternProgram
    /// In the order of their starts; at most one per instruction, the earliest.
    private var threads: [Thread] = []
    /// The scalar at which each instruction was reached last.
    private var seen: [Int]
    private var last: Unicode.Scalar?
    private var index = 0

    init(_ program: PatternProgram) {
        self.program = program
        seen = Array(repeating: -1, count: program.instructions.count)
    }

    /// Where the earliest attempt began that may still become a match.
    var earliestStart: Int? { threads.first?.start }

    mutating func append(_ scalar: Unicode.Scalar) -> RuleMatch? {
        guard !program.entries.isEmpty else { return nil }
        defer {
            index += 1
            last = scalar
        }
        let reached = follow(next: scalar)
        if let match = reached.match { return match }
        threads = reached.threads.compactMap { thread in
            guard case .scalars(let set) = program.instructions[thread.instruction], set.contains(scalar) else {
                return nil
            }
            return Thread(instruction: thread.instruction + 1, start: thread.start)
        }
        return nil
    }

    /// The match that the end of the text completes.
    mutating func finish() -> RuleMatch? { program.entries.isEmpty ? nil : follow(next: nil).match }

    /// Goes on to all instructions that take a scalar, or to the first match.
    private mutating func follow(next: Unicode.Scalar?) -> (threads: [Thread], match: RuleMatch?) {
        var reached: [Thread] = []
        let fresh = program.entries.map { Thread(instruction: $0, start: index) }
        for thread in threads + fresh where index - thread.start < ContentFilter.longestMatch {
            var open = [thread.instruction]
            while let instruction = open.popLast() {
                guard seen[instruction] != index else { continue }
                seen[instruction] = index
                switch program.instructions[instruction] {
                case .scalars: reached.append(Thread(instruction: instruction, start: thread.start))
                case .split(let first, let second): open += [second, first]
                case .assertion(let assertion): if holds(assertion, next) { open.append(instruction + 1) }
                case .accept(let rule):
                    // Nothing is no match.
                    if thread.start < index { return (reached, RuleMatch(rule: rule, start: thread.start)) }
                    seen[instruction] = -1
                }
            }
        }
        return (reached, nil)
    }

    private func holds(_ assertion: PatternTree.Assertion, _ next: Unicode.Scalar?) -> Bool {
        let isBoundary = (last.map(TextFolding.isWord) ?? false) != (next.map(TextFolding.isWord) ?? false)
        switch assertion {
        case .begin: return index == 0
        case .end: return next == nil
        case .boundary: return isBoundary
        case .noBoundary: return !isBoundary
        }
    }
}
