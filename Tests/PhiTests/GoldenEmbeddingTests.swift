import TestSupport
import Testing

@testable import Phi

/// Means of last hidden states against transformers'; the numbers are from `Tests/Reference/embedding/means.py`.
@Suite(.enabled(if: Fixtures.areHere, "\(Fixtures.reason)"))
struct GoldenEmbeddingTests {
    struct Expectation: Sendable, CustomTestStringConvertible {
        let model: String
        let prompt: String
        let length: Double
        let first: [Float]

        var testDescription: String { model }
    }

    @Test(arguments: [
        Expectation(
            model: "phi3-medium-like", prompt: "long", length: 7.060477,
            first: [-0.699821, -0.278306, -0.712075, 0.15755, -0.567828, 0.444202]),
        Expectation(
            model: "phi3-mini-like", prompt: "far-beyond-window", length: 2.725004,
            first: [0.219502, -0.112528, 0.037339, -0.286101, 0.559738, 0.01159]),
        Expectation(
            model: "phi4-mini-like", prompt: "bytes", length: 8.017500,
            first: [-0.019761, 0.430627, 0.76954, -0.921332, 0.760499, 1.024465]),
        Expectation(
            model: "phi3-128k-like", prompt: "bytes", length: 4.900861,
            first: [-0.223368, -0.265388, -0.119984, -0.026012, -0.195101, -0.465285]),
    ])
    func `a prompt's mean agrees with the reference`(expected: Expectation) throws {
        let model = GoldenModel(path: expected.model, arithmetic: .float)
        let pipeline = try TestPipeline(PipelineShape(), checkpoint: model.checkpoint(), vocabularyLimit: 571)
        let entry = try #require(try model.expectations().prompts.first { $0.name == expected.prompt })
        let mean = try pipeline.embeddings([entry.promptIds])[0]
        let length = mean.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(abs(length - expected.length) < 1e-4 * expected.length)
        for (computed, wanted) in zip(mean, expected.first) { #expect(abs(computed - wanted) < 2e-4) }
    }
}
