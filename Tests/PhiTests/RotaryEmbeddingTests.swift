import Foundation
import Inference
import Kernels
import Testing

@testable import Phi

struct RotaryEmbeddingTests {
    @Test func `inverse frequencies are those of double precision, rounded step by step`() throws {
        let short: [Float] = (0..<48).map { 1 + 0.03 * Float($0) }
        let long: [Float] = (0..<48).map { 1 + 0.9 * Float($0) }
        let rotary = try RotaryEmbedding(
            rotarySize: 96, base: 10000, shortFactors: short, longFactors: long, attentionFactor: 1.19)
        for (regime, factors) in [(RopeRegime.short, short), (.long, long)] {
            let row = rotary.inverseFrequencies(regime)
            #expect(row.columnCount == 48)
            for index in 0..<48 {
                let power = Float(Foundation.pow(10000, Double(Float(2 * index) / 96)))
                #expect(row[0, index] == 1 / (factors[index] * power))
            }
        }
    }

    @Test func `models without LongRoPE have one regime`() throws {
        let rotary = try RotaryEmbedding(
            rotarySize: 20, base: 250_000, shortFactors: nil, longFactors: nil, attentionFactor: 1)
        for index in 0..<10 {
            let row = rotary.inverseFrequencies(.short)
            #expect(row[0, index] == rotary.inverseFrequencies(.long)[0, index])
            #expect(row[0, index] == 1 / Float(Foundation.pow(250_000, Double(Float(2 * index) / 20))))
        }
    }

    @Test func `impossible embeddings are refused`() {
        #expect(throws: PhiError.self) {
            try RotaryEmbedding(rotarySize: 7, base: 1e4, shortFactors: nil, longFactors: nil, attentionFactor: 1)
        }
        #expect(throws: PhiError.self) {
            try RotaryEmbedding(rotarySize: 8, base: .nan, shortFactors: nil, longFactors: nil, attentionFactor: 1)
        }
        #expect(throws: PhiError.self) {
            try RotaryEmbedding(rotarySize: 8, base: 1e4, shortFactors: [1, 2], longFactors: nil, attentionFactor: 1)
        }
    }
}
