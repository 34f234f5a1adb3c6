import Inference
import Testing

@testable import Simulator

/// The page tables of a simulated stage: what they take and what they refuse.
@Suite struct SimulatedPagesTests {
    static let epoch = Epoch(term: 1, plan: 1)

    static func step(
        _ number: UInt64, admitted: [UInt64] = [], _ slices: [Slice] = [], retired: [UInt64] = []
    ) -> Step {
        Step(
            epoch: epoch, number: number,
            admissions: admitted.map { id in
                SequenceAdmission(
                    sequence: SequenceID(id), prompt: tokens(100), generated: [], sampling: SamplingParameters(),
                    seed: id, choice: 0, logprobCount: nil, promptLogprobCount: nil)
            }, slices: slices, retired: retired.map { SequenceID($0) })
    }

    static func tokens(_ count: Int) -> [Int32] { (0..<count).map { Int32($0) } }

    /// Rows of the prompt `tokens(100)`, unless others are given.
    static func slice(
        _ id: UInt64, from first: Int, _ tokens: [Int32], pages: [UInt32] = [], firstPage: Int = 0
    ) -> Slice {
        Slice(
            sequence: SequenceID(id), firstPosition: first, tokens: tokens, regime: .short, outputs: .sample,
            pages: pages.isEmpty
                ? [] : [PageAssignment(firstLogicalPage: firstPage, pages: pages.map { PageID($0) })])
    }

    /// Sequence 1 with its first 70 positions in pages 0 and 1.
    static func begun() throws -> SimulatedPages {
        var pages = SimulatedPages(pageCount: 4, maxRowCount: 100)
        _ = try pages.run(step(0, admitted: [1], [slice(1, from: 0, tokens(70), pages: [0, 1])]))
        return pages
    }

    @Test func `a chunked, shared and plain prompt leave the same`() throws {
        var pages = try Self.begun()
        let rest = Array(Self.tokens(100)[70...])
        let chunked = try pages.run(Self.step(1, [Self.slice(1, from: 70, rest)]))
        let shared = try pages.run(
            Self.step(2, admitted: [2], [Self.slice(2, from: 64, Array(Self.tokens(100)[64...]), pages: [0, 2])]))
        var others = SimulatedPages(pageCount: 4, maxRowCount: 100)
        let plain = try others.run(
            Self.step(0, admitted: [1], [Self.slice(1, from: 0, Self.tokens(100), pages: [3, 1])]))
        #expect(chunked.map(\.chain) == plain.map(\.chain) && shared.map(\.chain) == plain.map(\.chain))
        #expect(pages.sequenceCount == 2)
        _ = try pages.run(Self.step(3, retired: [1, 2]))
        #expect(pages.sequenceCount == 0)
    }

    @Test(arguments: [
        (step(1), "empty"),
        (step(1, retired: [9]), "unknown"),
        (step(1, [slice(9, from: 0, [1])]), "never admitted"),
        (step(1, [slice(1, from: 70, tokens(101))]), "101 rows"),
        (step(1, [slice(1, from: 70, [])]), "without rows"),
        // A token is left out, or computed twice.
        (step(1, [slice(1, from: 71, [5])]), "position 71 instead of 70"),
        (step(1, [slice(1, from: 69, [5])]), "position 69 instead of 70"),
        (step(1, [slice(1, from: 70, tokens(60))]), "no page for position 128"),
        (step(1, [slice(1, from: 70, tokens(1), pages: [7], firstPage: 2)]), "does not exist"),
        (step(1, [slice(1, from: 70, tokens(1), pages: [2], firstPage: 3)]), "logical page 3 after 2"),
        // A page of another sequence, which goes on afterwards.
        (
            step(1, admitted: [2], [slice(2, from: 0, tokens(2), pages: [1]), slice(1, from: 70, [5])]),
            "written by another sequence"
        ),
        // A prefix that is not full, not there or something else.
        (step(1, admitted: [2], [slice(2, from: 70, tokens(2), pages: [0, 1])]), "begins at position 70"),
        (step(1, admitted: [2], [slice(2, from: 64, tokens(2))]), "begins at position 64"),
        (step(1, admitted: [2], [slice(2, from: 64, tokens(2), pages: [3, 2])]), "holds something else"),
        (step(1, admitted: [2], [slice(2, from: 64, tokens(2), pages: [1, 2])]), "holds something else"),
    ])
    func `a broken promise is named`(step: Step, words: String) throws {
        var pages = try Self.begun()
        let breach = #expect(throws: Breach.self) { _ = try pages.run(step) }
        #expect(breach?.description.contains(words) == true, "\(breach?.description ?? "")")
    }

    @Test func `pages of a retired sequence go to another one from the next step on`() throws {
        var pages = try Self.begun()
        _ = try pages.run(Self.step(1, retired: [1]))
        _ = try pages.run(Self.step(2, admitted: [2], [Self.slice(2, from: 0, Self.tokens(2), pages: [1])]))
    }
}
