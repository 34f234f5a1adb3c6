import Grammar
import Inference
import Scheduling
import Testing

@testable import CoordinatorNode

@Suite struct GrammarDeskTests {
    private static let vocabulary: [[UInt8]] = (0..<256).map { [UInt8($0)] } + [Array("ab".utf8), []]

    /// A grammar of `count` letters and an end that tells it from others.
    private func constraint(_ name: Int, count: Int = 20) -> GrammarConstraint {
        GrammarConstraint(gbnf: "root ::= [a-c]{\(count)} \"\(name)\"", beginsText: false)
    }

    private func machine(_ constraint: GrammarConstraint) throws -> GrammarMachine {
        var machine = GrammarMachine(
            try Grammar(gbnf: constraint.gbnf),
            try TokenVocabulary(
                tokens: Self.vocabulary, endTokens: [Int32(Self.vocabulary.count - 1)], hasDummyPrefix: false))
        machine.prepare()
        return machine
    }

    private func request(_ constraint: GrammarConstraint, generated: [Int32] = []) -> GenerationRequest {
        GenerationRequest(id: RequestID("r"), prompt: [1], generated: generated, grammar: constraint)
    }

    private func open(_ desk: inout GrammarDesk, _ number: Int, _ constraint: GrammarConstraint) throws {
        if !desk.knows(constraint) { try desk.add(constraint, try machine(constraint)) }
        try desk.check(request(constraint))
        desk.open(RequestTicket(UInt64(number)), request(constraint))
    }

    @Test func `grammars in use leave no room for one too large, those out of use make room`() throws {
        let stateCount = try machine(constraint(0)).grammar.stateCount
        var desk = GrammarDesk(limits: .init(stateCount: 2 * stateCount + stateCount / 2))
        try open(&desk, 0, constraint(0))
        try open(&desk, 1, constraint(1))
        #expect {
            try open(&desk, 2, constraint(2))
        } throws: { error in
            guard let error = error as? EngineError else { return false }
            return error.code == .overloaded && error.retryAfterSeconds != nil
        }
        desk.close(RequestTicket(0))
        #expect(desk.knows(constraint(0)))
        try open(&desk, 2, constraint(2))
        #expect(!desk.knows(constraint(0)) && desk.knows(constraint(1)))
    }

    @Test func `few grammars out of use are kept, the latest ones`() throws {
        var desk = GrammarDesk(limits: .init(idleCount: 2))
        for number in 0..<4 { try desk.add(constraint(number), try machine(constraint(number))) }
        #expect((0..<4).map { desk.knows(constraint($0)) } == [false, false, true, true])
        // One that is asked for again is the latest.
        try desk.check(request(constraint(2)))
        try desk.add(constraint(4), try machine(constraint(4)))
        #expect(desk.knows(constraint(2)) && !desk.knows(constraint(3)))
    }

    @Test func `what was found is bounded over all grammars, and giving it up changes no mask`() throws {
        let letters = (0..<20).map { Int32(UInt8(ascii: "a")) + Int32($0 % 3) }
        /// Masks of four requests in turn, and the most that was kept.
        func masks(keptByteLimit: Int) throws -> ([TokenMask?], mostByteCount: Int) {
            var desk = GrammarDesk(limits: .init(keptByteCount: keptByteLimit))
            for number in 0..<4 { try open(&desk, number, constraint(number)) }
            var masks: [TokenMask?] = []
            var mostByteCount = 0
            for count in 0...letters.count {
                for number in 0..<4 {
                    masks.append(
                        desk.mask(RequestTicket(UInt64(number)), choice: 0, generated: Array(letters.prefix(count))))
                    mostByteCount = max(mostByteCount, desk.keptByteCount)
                }
            }
            return (masks, mostByteCount)
        }
        let free = try masks(keptByteLimit: .max)
        let bounded = try masks(keptByteLimit: free.mostByteCount / 2)
        #expect(!free.0.contains(nil) && free.0 == bounded.0)
        #expect(bounded.mostByteCount <= free.mostByteCount / 2)
    }
}
