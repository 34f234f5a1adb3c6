import Foundation
import TestSupport
import Testing

@testable import Checkpoint

/// The types that mixtures give, against llama-quantize's own: `Tests/Reference/quantize/make_vectors.py`.
@Suite struct QuantizationMixTests {
    struct Golden: Decodable {
        struct Model: Decodable {
            let hidden: Int
            let heads: Int
            let kvHeads: Int
            let feedForward: Int
            let layers: Int
            let tied: Bool
            let names: String
            let types: [String: String]

            var configuration: ModelConfiguration {
                ModelConfiguration(
                    architecture: .phi3, vocabularySize: 259, hiddenSize: hidden, layerCount: layers, headCount: heads,
                    kvHeadCount: kvHeads, headDimension: hidden / heads, feedForwardSize: feedForward,
                    rmsNormEpsilon: 1e-5, ropeTheta: 10_000, rotaryDimension: hidden / heads, slidingWindow: nil,
                    contextLength: 128, originalContextLength: 128, longRope: nil, tiedEmbeddings: tied,
                    beginOfSequenceID: nil, endOfSequenceIDs: [], addsBeginOfSequence: false)
            }
        }

        let models: [Model]

        static func read() throws -> Golden {
            let url = Repository.tests.appendingPathComponent("CheckpointTests/Resources/mixtures.json")
            return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
        }
    }

    @Test func `every tensor of every mixture has the type that llama-quantize gives it`() throws {
        for model in try Golden.read().models {
            #expect(model.types.count == 2 * QuantizationMix.allCases.count)
            for (name, expected) in model.types {
                let words = name.split(separator: " ")
                let mix = try #require(QuantizationMix(name: String(words[0])))
                let plans = model.configuration.ggufPlan(mix, isPure: words.count == 2).map(\.plan)
                #expect(plans.map(\.name).joined(separator: " ") == model.names)
                let found = plans.map(\.type.name).joined(separator: " ")
                #expect(found == expected, "\(name), hidden \(model.hidden), \(model.layers) layers")
            }
        }
    }

    @Test func `names are understood in any case, and the short ones stand for the middle mixture`() {
        for mix in QuantizationMix.allCases { #expect(QuantizationMix(name: mix.name.lowercased()) == mix) }
        #expect(QuantizationMix(name: "q4_k") == .q4KMedium)
        #expect(QuantizationMix(name: "Q5_K") == .q5KMedium)
        #expect(QuantizationMix(name: "IQ4_XS") == nil && QuantizationMix(name: "") == nil)
    }

    @Test func `sizes are labelled as gguf-py labels them`() {
        let labels = [
            (529_000, "529K"), (1_400_000, "1.4M"), (3_821_079_552, "3.8B"), (13_960_238_080, "14B"), (999, "1.0K"),
            (1_000_000, "1000K"), (9_960_000, "10M"),
        ]
        for (count, label) in labels { #expect(ModelConfiguration.sizeLabel(count) == label, "\(count)") }
    }
}
