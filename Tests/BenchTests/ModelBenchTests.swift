import Checkpoint
import Foundation
import Kernels
import TestSupport
import Testing

@testable import Bench

/// A whole run in this process, with the demo model.
@Suite(.serialized) struct ModelBenchTests {
    private func demo() throws -> Checkpoint { try Checkpoint.open(DemoModelFile.url.path) }

    private var smallPlan: ModelBenchPlan {
        var plan = ModelBenchPlan()
        plan.promptCount = 70
        plan.generatedCount = 5
        plan.depth = 66
        plan.streamCounts = [1, 3]
        plan.threadCount = 2
        plan.repeatCount = 2
        plan.chunkRowCount = 32
        plan.probeByteCount = 64 << 20
        return plan
    }

    @Test func `every measurement is positive and below its limit`() throws {
        var reported: [String] = []
        let result = try ModelBench.run(smallPlan, checkpoint: demo(), isa: .current) { what, fraction in
            #expect((0...1).contains(fraction))
            reported.append(what)
        }
        let prefill = try #require(result.prefill)
        #expect(prefill.rounds.count == 2 && prefill.tokenCount == 70)
        #expect(prefill.tokensPerSecond > 0)
        #expect((0...1).contains(prefill.fraction(of: result.limits)))
        #expect(result.decode.map(\.streamCount) == [1, 3])
        #expect(result.decode.map(\.tokenCount) == [5, 15])
        for decode in result.decode {
            #expect(decode.rounds.count == 2 && decode.tokensPerSecond > 0)
            #expect((0...1).contains(decode.fraction(of: result.limits)))
        }
        #expect(result.loadSeconds > 0)
        #expect(result.stepWeightByteCount > 0 && result.stepWeightByteCount <= result.weightByteCount)
        #expect(reported.contains("loading") && reported.contains("prefill"))
    }

    @Test func `what is asked for with zero is left out`() throws {
        var plan = smallPlan
        plan.promptCount = 0
        plan.streamCounts = [2]
        let decoding = try ModelBench.run(plan, checkpoint: demo(), isa: .scalar) { _, _ in }
        #expect(decoding.prefill == nil && decoding.decode.count == 1 && decoding.isa == "scalar")
        try ISA.best.use()
    }

    @Test func `streams that share a context generate the same from the same token`() throws {
        let checkpoint = try demo()
        let tokens = try ModelBenchProbe.generate(checkpoint, plan: smallPlan)
        let first = try #require(tokens.first)
        #expect(first.count == 5)
        // Copied keys and values are as good as computed ones.
        for other in tokens.dropFirst() { #expect(other == first) }
        // And they matter: without them the same token goes on differently.
        var empty = smallPlan
        empty.depth = 0
        #expect(try ModelBenchProbe.generate(checkpoint, plan: empty).first != first)
    }
}
