import Host
import Inference
import Kernels
import Testing

@testable import Phi

/// What a peer may send and must not get away with.
struct StageRunnerTests {
    private let model = SyntheticModel(format: .f32, layerCount: 2)

    @Test func `a step that contradicts the plan is refused with words`() throws {
        let runner = try runner(LayerRange(first: 0, end: 2))
        let good = slice(tokens: [1, 2, 3], pages: [0])
        let cases: [(String, [Slice])] = [
            ("does not exist", [slice(tokens: [1], pages: [99])]),
            ("no physical page", [slice(first: 64, tokens: [1], pages: [0])]),
            ("do not fit", [slice(first: 2047, tokens: [1, 2], pages: [0])]),
            ("do not fit", [slice(first: -1, tokens: [1], pages: [0])]),
            ("do not fit", [slice(first: .max, tokens: [1], pages: [0])]),
            ("do not fit", [slice(tokens: [], pages: [0])]),
            ("not in the vocabulary", [slice(tokens: [288], pages: [0])]),
            ("not in the vocabulary", [slice(tokens: [-1], pages: [0])]),
            ("more than the 16 rows", [slice(tokens: model.tokens(17), pages: [0])]),
            ("more than the 16 rows", [good, slice(2, tokens: model.tokens(14), pages: [1])]),
            ("beyond the context", [slice(tokens: [1], pages: [0], firstLogical: 32)]),
            ("beyond the context", [slice(tokens: [1], pages: [0], firstLogical: .max)]),
            ("never admitted", [slice(3, tokens: [1], pages: [0], outputs: .sample)]),
            ("never admitted", [slice(3, tokens: [1], pages: [0], outputs: .promptLogprobs)]),
            ("never admitted", [slice(3, tokens: [1], pages: [0], outputs: .embedding)]),
        ]
        for (words, slices) in cases {
            let error = #expect(throws: PhiError.self) { try runner.run(step(slices), rows: []) }
            #expect(error?.message.contains(words) == true, "\(words): \(error?.message ?? "")")
        }
        let rows = #expect(throws: PhiError.self) { try runner.run(step([good]), rows: [1, 2, 3]) }
        #expect(rows?.message.contains("takes no rows") == true)
        _ = try runner.run(step([good]), rows: [])
    }

    @Test func `rows must have the step's size`() throws {
        let runner = try runner(LayerRange(first: 1, end: 2))
        let slices = [slice(tokens: [1, 2], pages: [0])]
        for byteCount in [0, 1, 2 * 256 * 4 - 1, 2 * 256 * 4 + 4] {
            #expect(throws: PhiError.self) {
                try runner.run(step(slices), rows: [UInt8](repeating: 0, count: byteCount))
            }
        }
        guard case .result = try runner.run(step(slices), rows: [UInt8](repeating: 0, count: 2 * 256 * 4)) else {
            Issue.record("the last stage gives a result")
            return
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 511])
    func `numbers that are not finite are found and placed`(number: Float, index: Int) throws {
        let runner = try runner(LayerRange(first: 1, end: 2))
        let slices = [slice(first: 5, tokens: [1, 2], pages: [0])]
        var rows = [UInt8](repeating: 0, count: 2 * 256 * 4)
        for byte in 0..<4 { rows[4 * index + byte] = UInt8(truncatingIfNeeded: number.bitPattern >> (8 * byte)) }
        let error = #expect(throws: PhiError.self) { try runner.run(step(slices), rows: rows) }
        #expect(error?.code == .numbers)
        let position = 5 + index / 256
        #expect(error?.message.contains("layers 1 gave") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("at position \(position) of") == true, "\(error?.message ?? "")")
    }

    @Test func `too many alternatives are refused`() throws {
        let runner = try runner(LayerRange(first: 0, end: 2))
        for count in [-1, 1025] {
            let admission = SequenceAdmission(
                sequence: SequenceID(1), prompt: [1], generated: [], sampling: SamplingParameters(), seed: 0, choice: 0,
                logprobCount: count, promptLogprobCount: nil)
            let step = Step(
                epoch: Epoch(term: 1, plan: 1), number: 0, admissions: [admission], slices: [], retired: [])
            #expect(throws: PhiError.self) { try runner.run(step, rows: []) }
        }
    }

    @Test func `a retired sequence is forgotten`() throws {
        let runner = try runner(LayerRange(first: 0, end: 2))
        _ = try runner.run(step([slice(tokens: [1], pages: [0])]), rows: [])
        // Known pages need no second naming; after the retirement they do.
        _ = try runner.run(step([slice(first: 1, tokens: [1], pages: [])]), rows: [])
        let retirement = Step(
            epoch: Epoch(term: 1, plan: 1), number: 2, admissions: [], slices: [], retired: [SequenceID(1)])
        _ = try runner.run(retirement, rows: [])
        #expect(throws: PhiError.self) { try runner.run(step([slice(first: 2, tokens: [1], pages: [])]), rows: []) }
    }

    @Test func `impossible plans are refused`() throws {
        let stage = try model.stage(try #require(LayerRange(first: 0, end: 2)))
        let pool = try ComputePool(threadCount: 1)
        let plans: [(pages: Int, rows: Int, limit: Int)] = [
            (0, 8, 288), (-1, 8, 288), (.max, 8, 288), (4, 0, 288), (4, .max, 288), (4, 8, 0), (4, 8, 289),
        ]
        for plan in plans {
            #expect(throws: PhiError.self) {
                try StageRunner(
                    model: stage, kvType: .f16, pageCount: plan.pages, maxRowCount: plan.rows,
                    vocabularyLimit: plan.limit, pool: pool)
            }
        }
    }

    @Test func `layers are announced by their number in the model`() throws {
        let runner = try runner(LayerRange(first: 1, end: 2))
        var seen: [Int] = []
        let rows = [UInt8](repeating: 0, count: 256 * 4)
        _ = try runner.run(step([slice(tokens: [1], pages: [0])]), rows: rows) { seen.append($0) }
        #expect(seen == [1])
    }

    private func runner(_ layers: LayerRange?) throws -> StageRunner {
        try StageRunner(
            model: model.stage(#require(layers)), kvType: .f16, pageCount: 4, maxRowCount: 16, vocabularyLimit: 288,
            pool: ComputePool(threadCount: 1))
    }

    private func step(_ slices: [Slice]) -> Step {
        Step(epoch: Epoch(term: 1, plan: 1), number: 0, admissions: [], slices: slices, retired: [])
    }

    private func slice(
        _ sequence: UInt64 = 1, first: Int = 0, tokens: [Int32], pages: [UInt32], firstLogical: Int = 0,
        outputs: SliceOutputs = []
    ) -> Slice {
        Slice(
            sequence: SequenceID(sequence), firstPosition: first, tokens: tokens, regime: .short, outputs: outputs,
            pages: pages.isEmpty
                ? [] : [PageAssignment(firstLogicalPage: firstLogical, pages: pages.map { PageID($0) })])
    }
}
