import Foundation
import Inference
import TestSupport
import Testing

@testable import CoordinatorNode

/// Embeddings through the whole cluster: promise 1 holds for them, too.
@Suite struct EmbeddingTests {
    private static let path = DemoModelFile.url.path

    private static func request(_ number: Int, count: Int) -> GenerationRequest {
        // They begin alike, so that the prefix cache has something to find.
        let tokens = ExactnessTests.prompt(count: count, below: 1000).enumerated().map { position, token in
            position < 130 ? token : 3 + (token &+ Int32(number) &* 17) % 900
        }
        return GenerationRequest(
            id: RequestID("e\(number)"), prompt: tokens, maxTokens: 0, seed: 1, client: "embedder", wantsEmbedding: true
        )
    }

    private static let requests = [1, 2, 64, 65, 200, 290].enumerated().map { request($0, count: $1) }

    private static func bits(_ answer: Answer) -> [UInt32] { (answer.embedding ?? []).map(\.bitPattern) }

    private func alone(_ requests: [GenerationRequest]) async throws -> [[UInt32]] {
        try await TestCluster(modelPath: Self.path).run { coordinator in
            var found: [[UInt32]] = []
            for request in requests {
                let answer = try await coordinator.answer(request)
                #expect(answer.ids.isEmpty && answer.reason == .length)
                #expect(answer.usage == Answer.Usage(promptTokenCount: request.prompt.count, completionTokenCount: 0))
                found.append(Self.bits(answer))
            }
            return found
        }
    }

    @Test func `the split, the threads and the chunks change no bit`() async throws {
        let expected = try await alone(Self.requests)
        #expect(Set(expected).count == Self.requests.count && !expected.contains([]))
        for (workerCount, threadCount, chunkRowCount) in [(1, 1, 1), (2, 1, 7), (3, 2, 64), (4, 1, 256)] {
            let cluster = TestCluster(
                modelPath: Self.path, workerCount: workerCount, threadCount: threadCount, chunkRowCount: chunkRowCount)
            let found = try await cluster.run { coordinator in
                var found: [[UInt32]] = []
                for request in Self.requests { found.append(Self.bits(try await coordinator.answer(request))) }
                return found
            }
            #expect(found == expected, "\(workerCount) x \(threadCount), chunks of \(chunkRowCount)")
        }
    }

    @Test func `company, cached beginnings and few pages change no bit`() async throws {
        let requests = (0..<16).map { Self.request($0, count: 40 + 15 * $0) }
        let expected = try await alone(requests)
        var crowded = TestCluster(modelPath: Self.path, workerCount: 2, chunkRowCount: 48)
        crowded.contextLength = 320
        crowded.kvMemoryByteCount = try MixedLoad.kvByteCount(Self.path, pageCount: 9)
        let (found, activity) = try await crowded.run { coordinator in
            let found = try await withThrowingTaskGroup(of: (Int, [UInt32])?.self) { group in
                for (number, request) in requests.enumerated() {
                    group.addTask { (number, Self.bits(try await coordinator.answer(request))) }
                    group.addTask {
                        // They begin with a page or two and grow to five.
                        var text = Self.request(number, count: 60)
                        (text.wantsEmbedding, text.maxTokens, text.client) = (false, 240, "writer")
                        text.ignoreEndOfSequence = true
                        let answer = try await coordinator.answer(text)
                        #expect(!answer.ids.isEmpty)
                        return nil
                    }
                }
                return try await group.reduce(into: [Int: [UInt32]]()) {
                    if let (number, bits) = $1 { $0[number] = bits }
                }
            }
            return (found, try await coordinator.status().scheduling)
        }
        #expect(activity.preemptionCount > 0)
        for (number, bits) in expected.enumerated() { #expect(found[number] == bits, "request \(number)") }
    }

    @Test func `a worker that dies on the way changes no bit`() async throws {
        let request = Self.request(0, count: 290)
        let expected = try await alone([request])[0]
        let cluster = TestCluster(modelPath: Self.path, workerCount: 3, chunkRowCount: 8)
        let found = try await cluster.runElastic { running in
            var embeddings: [[Float]] = []
            var hasDied = false
            for try await event in try await running.coordinator.generate(request).events {
                switch event {
                case .prefilled(let tokenCount, _) where tokenCount >= 100 && !hasDied:
                    hasDied = true
                    running.kill(1)
                case .embedding(let embedding): embeddings.append(embedding)
                default: break
                }
            }
            #expect(hasDied)
            #expect(try await running.coordinator.status().epoch.plan > 1)
            return embeddings
        }
        #expect(found.map { $0.map(\.bitPattern) } == [expected])
    }

    @Test func `what goes with no embedding is refused`() async throws {
        try await TestCluster(modelPath: Self.path).run { coordinator in
            func refuses(_ change: (inout GenerationRequest) -> Void) async {
                var request = Self.request(0, count: 5)
                change(&request)
                await #expect {
                    _ = try await coordinator.answer(request)
                } throws: { ($0 as? EngineError)?.code == .invalidRequest }
            }
            await refuses { $0.maxTokens = 3 }
            await refuses { $0.maxTokens = nil }
            await refuses { $0.choiceCount = 2 }
            await refuses { $0.promptLogprobCount = 1 }
            await refuses { $0.generated = [5] }
        }
    }
}
