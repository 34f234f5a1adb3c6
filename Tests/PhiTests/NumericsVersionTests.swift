import Inference
import Kernels
import Testing

@testable import Phi

/// The bits that a model computes belong to the numerics version: a change of any of them must raise it.
struct NumericsVersionTests {
    @Test(
        arguments: [(0, 0x288f_8849_1aae_2dff), (1, 0x8e29_778a_eb76_fac1), (2, 0xa236_bea2_94ca_fafa)]
            as [(Int, UInt64)])
    func `a model's bits are those of numerics version 1`(model: Int, pinned: UInt64) throws {
        let model = ExactnessTests.models[model]
        // Sampled, so that the sampler's choices belong to the bits; beyond one segment of attention.
        let answer = try model.pipeline(PipelineShape(kvType: .f16, maxRowCount: 600)).generate(
            model.tokens(540), count: 4, sampling: SamplingParameters(temperature: 0.9, topK: 50, topP: 0.9), seed: 3)
        #expect(answer.hidden.allSatisfy { row in row.allSatisfy { Float(bitPattern: $0).isFinite } })
        var hash = Hash()
        for row in answer.hidden {
            for bits in row { hash.add(bits) }
        }
        for scored in answer.promptTokens + answer.sampled {
            hash.add(UInt32(bitPattern: scored.token))
            hash.add(scored.logprob.bitPattern)
        }
        #expect(numericsVersion == 1, "pin the new bits")
        #expect(hash.value == pinned, "\(String(hash.value, radix: 16))")
    }

    /// FNV-1a over 32-bit words.
    private struct Hash {
        private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

        mutating func add(_ word: UInt32) { value = (value ^ UInt64(word)) &* 0x100_0000_01b3 }
    }
}
