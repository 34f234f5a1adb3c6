import Checkpoint
import Inference
import TestSupport
import Testing

@testable import Phi

/// Our numbers against transformers', on all dense golden models.
@Suite(.enabled(if: Fixtures.areHere, "\(Fixtures.reason)"))
struct GoldenModelTests {
    /// The limits of the fixtures' README.
    struct Tolerance {
        let largest: Float
        let mean: Float
    }

    @Test(arguments: GoldenModel.float, [KVType.f32, .f16])
    func `a float model agrees with the reference`(model: GoldenModel, kvType: KVType) throws {
        let tolerance =
            kvType == .f32 ? Tolerance(largest: 2e-3, mean: 2e-4) : Tolerance(largest: 0.03, mean: 4e-3)
        let checkpoint = try model.checkpoint()
        let pipeline = try TestPipeline(PipelineShape(kvType: kvType), checkpoint: checkpoint, vocabularyLimit: 571)
        let expected = try model.expectations()
        let longRope = expected.longrope
        var entries = expected.prompts + (expected.robustPrompts ?? [])
        entries += (longRope?.longSide ?? []) + (longRope?.crossing?.entries ?? [])
        #expect(entries.count >= 4)
        for entry in entries {
            let answer = try pipeline.generate(entry.promptIds, count: entry.greedyIds.count)
            #expect(answer.ids == entry.greedyIds, "\(entry.name)")
            check(
                answer.promptTokens.map(\.logprob) + answer.sampled.map(\.logprob), entry, tolerance)
            try checkTop(entry, first: #require(answer.sampled.first), tolerance)
        }
    }

    @Test(arguments: GoldenModel.float)
    func `keys and values as q8_0 cost no more than int8 activations would`(model: GoldenModel) throws {
        let checkpoint = try model.checkpoint()
        let pipeline = try TestPipeline(PipelineShape(kvType: .q8x0), checkpoint: checkpoint, vocabularyLimit: 571)
        let isLongRope = checkpoint.configuration.longRope != nil
        let tolerance =
            isLongRope ? Tolerance(largest: 0.7, mean: 0.13) : Tolerance(largest: 0.35, mean: 0.08)
        for entry in try model.expectations().prompts {
            // The continuation is given, so that one early difference does not change everything after it.
            let answer = try pipeline.generate(entry.promptIds + entry.greedyIds, count: 1)
            check(answer.promptTokens.map(\.logprob), entry, tolerance)
        }
    }

    @Test(arguments: GoldenModel.quantized)
    func `a quantised model agrees with the reference`(model: GoldenModel) throws {
        let checkpoint = try model.checkpoint()
        let pipeline = try TestPipeline(PipelineShape(kvType: .f16), checkpoint: checkpoint, vocabularyLimit: 571)
        let expected = try model.expectations()
        let isLongRope = checkpoint.configuration.longRope != nil
        let tolerance =
            isLongRope ? Tolerance(largest: 0.7, mean: 0.13) : Tolerance(largest: 0.35, mean: 0.08)
        for entry in expected.prompts + (expected.robustPrompts ?? []) {
            // The continuation is given, so that one early difference does not change everything after it.
            let tokens = entry.promptIds + entry.greedyIds
            let answer = try pipeline.generate(tokens, count: 1)
            check(answer.promptTokens.map(\.logprob), entry, tolerance)
        }
        let mustAgree = expected.robustPrompts ?? []
        #expect(!mustAgree.isEmpty || isLongRope)
        for entry in mustAgree {
            let answer = try pipeline.generate(entry.promptIds, count: entry.greedyIds.count)
            #expect(answer.ids == entry.greedyIds, "\(entry.name)")
        }
    }

    @Test(arguments: GoldenModel.float)
    func `the residual stream agrees after every layer`(model: GoldenModel) throws {
        let expected = try model.expectations()
        guard let debug = expected.debugStates, let entry = expected.prompts.first(where: { $0.name == debug.prompt })
        else { return }
        let checkpoint = try model.checkpoint()
        for layerCount in 1...checkpoint.configuration.layerCount {
            // The first stage's output is the residual stream after its last layer.
            let probe = try StageProbe(checkpoint: checkpoint, layerCount: layerCount)
            let row = try probe.lastRow(of: entry.promptIds)
            let state = debug.states[layerCount]
            let norm = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(norm - state.l2) <= 1e-4 * state.l2, "\(state.stage)")
            for (computed, wanted) in zip(row, state.first8) {
                #expect(abs(Double(computed) - wanted) <= 1e-3, "\(state.stage)")
            }
        }
    }

    /// Compares the log-probabilities of a prompt's tokens (from the second on) and of the continuation.
    private func check(_ computed: [Float], _ entry: GoldenExpectations.Entry, _ tolerance: Tolerance) {
        let expected = entry.promptLogprobs.dropFirst().compactMap { $0 } + entry.greedyLogprobs
        #expect(computed.count == expected.count, "\(entry.name)")
        var difference = LogprobDifference()
        for (left, right) in zip(computed, expected) { difference.add(left, expected: right) }
        #expect(difference.largest <= tolerance.largest, "\(entry.name)")
        #expect(difference.mean <= tolerance.mean, "\(entry.name)")
    }

    private func checkTop(_ entry: GoldenExpectations.Entry, first: ScoredToken, _ tolerance: Tolerance) throws {
        guard let top = entry.top5Last else { return }
        #expect(first.top.count == 5)
        for pair in top {
            let computed = first.top.first { $0.token == Int32(pair[0]) }
            // Two neighbours closer than the tolerance may change places, also across the end of the list.
            let lowest = try #require(first.top.last).logprob
            let logprob = computed?.logprob ?? lowest
            #expect(abs(logprob - Float(pair[1])) <= tolerance.largest, "\(entry.name), token \(pair[0])")
        }
    }
}
