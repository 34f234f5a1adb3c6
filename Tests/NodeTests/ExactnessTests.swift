import Foundation
import Inference
import TestSupport
import Testing

/// Promise 1: the split, the threads and the chunks change nothing, bit for bit.
@Suite struct ExactnessTests {
    struct Arrangement: Sendable, CustomStringConvertible {
        var workerCount = 1
        var threadCount = 1
        var chunkRowCount = 256
        var split: [Int]?

        var description: String {
            "\(workerCount) workers x \(threadCount) threads, chunks of \(chunkRowCount)"
                + (split.map { ", split \($0)" } ?? "")
        }
    }

    /// One request of each kind: greedy with scores, and seeded with filters and penalties.
    static func requests(prompt: [Int32], maxTokens: Int) -> [GenerationRequest] {
        [
            GenerationRequest(
                id: RequestID("greedy"), prompt: prompt, maxTokens: maxTokens,
                sampling: SamplingParameters(temperature: 0), ignoreEndOfSequence: true, logprobCount: 5,
                promptLogprobCount: 3),
            GenerationRequest(
                id: RequestID("seeded"), prompt: prompt, maxTokens: maxTokens,
                sampling: SamplingParameters(
                    temperature: 0.9, topK: 50, topP: 0.95, presencePenalty: 0.3, frequencyPenalty: 0.2,
                    repetitionPenalty: 1.1),
                seed: 42, ignoreEndOfSequence: true, logprobCount: 2),
        ]
    }

    func answers(_ modelPath: String, _ arrangement: Arrangement, prompt: [Int32]) async throws -> [Answer] {
        let cluster = TestCluster(
            modelPath: modelPath, workerCount: arrangement.workerCount, threadCount: arrangement.threadCount,
            chunkRowCount: arrangement.chunkRowCount, split: arrangement.split)
        return try await cluster.run { coordinator in
            var answers: [Answer] = []
            for request in Self.requests(prompt: prompt, maxTokens: 20) {
                answers.append(try await coordinator.answer(request))
            }
            return answers
        }
    }

    func expectEqual(_ modelPath: String, layerCount: Int, prompt: [Int32]) async throws {
        let reference = try await answers(modelPath, Arrangement(), prompt: prompt)
        #expect(reference.allSatisfy { $0.ids.count == 20 && $0.reason == .length })
        #expect(reference[0].promptScores.count == prompt.count - 1)
        var arrangements = [
            Arrangement(workerCount: 2), Arrangement(threadCount: 2), Arrangement(workerCount: layerCount),
            Arrangement(chunkRowCount: 1), Arrangement(chunkRowCount: 7),
            Arrangement(workerCount: 2, chunkRowCount: 64),
            Arrangement(workerCount: 2, threadCount: 2, chunkRowCount: 7),
        ]
        if layerCount >= 3 {
            arrangements += [
                Arrangement(workerCount: 3, chunkRowCount: 7),
                Arrangement(workerCount: 2, split: [layerCount - 1, 1]),
                Arrangement(workerCount: 3, threadCount: 2, split: [1, layerCount - 2, 1]),
            ]
        }
        for arrangement in arrangements {
            let found = try await answers(modelPath, arrangement, prompt: prompt)
            for (index, (one, other)) in zip(reference, found).enumerated() {
                #expect(one.ids == other.ids, "\(arrangement), request \(index)")
                #expect(one.bits == other.bits, "\(arrangement), request \(index)")
            }
        }
    }

    /// Ids that any vocabulary has, in no order that a model likes.
    static func prompt(count: Int, below limit: Int32) -> [Int32] {
        (0..<Int32(count)).map { 3 + ($0 &* 7919 &+ 13) % (limit - 3) }
    }

    @Test func `the demo model answers the same whatever the split, threads and chunks`() async throws {
        try await expectEqual(
            DemoModelFile.url.path, layerCount: try Self.layerCount(DemoModelFile.url.path),
            prompt: Self.prompt(count: 150, below: 1000))
    }

    @Test(
        .enabled(if: Fixtures.areHere, Comment(rawValue: Fixtures.reason)),
        arguments: [
            "models/phi3-medium-like", "models/phi3-128k-like", "models/phi4-mini-like", "models/phi3-mini-like",
            "models/gguf-phi3-like/phi-3-like-Q4_K_M.gguf",
        ])
    func `the fixtures answer the same whatever the split, threads and chunks`(name: String) async throws {
        let path = try Fixtures.file(name).path
        try await expectEqual(
            path, layerCount: try Self.layerCount(path), prompt: Self.prompt(count: 90, below: 560))
    }
}
