import CoordinatorNode
import Foundation
import Inference
import TestSupport
import Testing
import Tokenization

/// The golden models through a whole cluster of two workers, from text to tokens, against transformers' numbers.
@Suite(.enabled(if: Fixtures.areHere, Comment(rawValue: Fixtures.reason)))
struct GoldenClusterTests {
    struct Expected: Decodable {
        struct Entry: Decodable {
            let name: String
            let text: String?
            let promptIds: [Int32]
            let promptLogprobs: [Float?]?
            let greedyIds: [Int32]
            let greedyLogprobs: [Float]
        }

        struct Stop: Decodable {
            let promptIds: [Int32]
            let greedyIdsUntilEos: [Int32]
        }

        struct LongRope: Decodable {
            struct Crossing: Decodable {
                let entries: [Entry]
            }

            let longSide: [Entry]
            let crossing: Crossing
        }

        let prompts: [Entry]
        let stopsAtEos: [Stop]
        let longrope: LongRope?

        var entries: [Entry] { prompts + (longrope.map { $0.longSide + $0.crossing.entries } ?? []) }
    }

    private func expected(_ name: String) throws -> Expected {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(
            Expected.self, from: Data(contentsOf: Fixtures.file("models/\(name)/expected.json")))
    }

    @Test(arguments: ["phi3-mini-like", "phi3-medium-like", "phi3-128k-like", "phi4-mini-like"])
    func `ids are equal and log-probabilities within the float16 cache's tolerance`(name: String) async throws {
        let expected = try expected(name)
        let cluster = TestCluster(
            modelPath: try Fixtures.model(name).path, workerCount: 2, threadCount: 2, chunkRowCount: 32)
        try await cluster.run { coordinator in
            let description = try await coordinator.describe()
            let tokenizer = try Tokenizer(
                TokenizerDefinition(
                    encoded: try await coordinator.tokenizerDefinition(hash: description.tokenizerHash)))
            for entry in expected.entries {
                if let text = entry.text {
                    let ids = tokenizer.encode(text, parseSpecial: true, addBOS: tokenizer.addsBOS)
                    #expect(ids == entry.promptIds, "\(entry.name)")
                }
                let answer = try await coordinator.answer(
                    GenerationRequest(
                        id: RequestID(entry.name), prompt: entry.promptIds, maxTokens: entry.greedyIds.count,
                        sampling: SamplingParameters(temperature: 0), ignoreEndOfSequence: true, logprobCount: 0,
                        promptLogprobCount: 0))
                #expect(answer.ids == entry.greedyIds, "\(entry.name)")
                var pairs = zip(answer.scores.map(\.logprob), entry.greedyLogprobs).map { ($0, $1) }
                if let wanted = entry.promptLogprobs {
                    pairs += zip(answer.promptScores.map(\.logprob), wanted.dropFirst().compactMap { $0 })
                        .map { ($0, $1) }
                    #expect(answer.promptScores.count == wanted.count - 1, "\(entry.name)")
                }
                let differences = pairs.map { abs($0 - $1) }
                #expect((differences.max() ?? 0) < 0.03, "\(entry.name)")
                #expect(differences.reduce(0, +) / Float(max(1, differences.count)) < 4e-3, "\(entry.name)")
            }
            for stop in expected.stopsAtEos {
                let answer = try await coordinator.answer(
                    GenerationRequest(
                        id: RequestID("stop"), prompt: stop.promptIds, maxTokens: 40,
                        sampling: SamplingParameters(temperature: 0)))
                #expect(answer.ids == stop.greedyIdsUntilEos)
                #expect(answer.reason == .stop)
            }
        }
    }
}
