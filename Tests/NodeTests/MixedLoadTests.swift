import Foundation
import Inference
import Scheduling
import TestSupport
import Testing

@testable import CoordinatorNode

/// Promise 1 under load: what else goes on changes no bit of an answer.
@Suite struct MixedLoadTests {
    /// Each request alone, on one worker. Scoring the prompt keeps the prefix cache out of it.
    private func alone(_ load: MixedLoad, _ path: String, contextLength: Int) async throws -> [MixedLoad.Outcome] {
        let cluster = TestCluster(modelPath: path, threadCount: 2, contextLength: contextLength)
        return try await cluster.run { coordinator in
            var outcomes: [MixedLoad.Outcome] = []
            for entry in load.entries {
                var request = entry.request
                request.promptLogprobCount = request.promptLogprobCount ?? 0
                let outcome = try await coordinator.outcome(of: MixedLoad.Entry(request: request, patience: nil))
                #expect(outcome.usage?.cachedTokenCount == 0)
                outcomes.append(outcome)
            }
            #expect(await coordinator.router.schedulers[0].epoch?.plan == 1, "nothing failed on the way")
            return outcomes
        }
    }

    private struct Pressure {
        var outcomes: [MixedLoad.Outcome] = []
        var preemptionCount = 0
    }

    private func together(
        _ load: MixedLoad, _ path: String, contextLength: Int, pageCount: Int
    ) async throws -> Pressure {
        let layerCount = try ExactnessTests.layerCount(path)
        var cluster = TestCluster(
            modelPath: path, workerCount: 3, chunkRowCount: 48, split: [1, layerCount - 2, 1],
            contextLength: contextLength)
        cluster.kvMemoryByteCount = try MixedLoad.kvByteCount(path, pageCount: pageCount)
        cluster.runningSequenceLimit = 12
        return try await cluster.run { coordinator in
            let outcomes = try await withThrowingTaskGroup(of: (Int, MixedLoad.Outcome).self) { group in
                for (index, entry) in load.entries.enumerated() {
                    group.addTask { (index, try await coordinator.outcome(of: entry)) }
                }
                var outcomes = [MixedLoad.Outcome](repeating: MixedLoad.Outcome(), count: load.entries.count)
                for try await (index, outcome) in group { outcomes[index] = outcome }
                return outcomes
            }
            // Cancellations arrive in their own time.
            while await !coordinator.router.isIdle { try await Task.sleep(for: .milliseconds(5)) }
            let scheduler = await coordinator.router.schedulers[0]
            #expect(scheduler.pageCount == pageCount)
            #expect(scheduler.freePageCount == pageCount, "no page is lost")
            #expect(scheduler.epoch?.plan == 1, "nothing failed on the way")
            return Pressure(outcomes: outcomes, preemptionCount: scheduler.preemptionCount)
        }
    }

    private func expectEqual(
        _ path: String, count: Int, vocabularySize: Int32, contextLength: Int, pageCount: Int, seed: UInt64
    ) async throws {
        let load = MixedLoad(count: count, vocabularySize: vocabularySize, contextLength: contextLength, seed: seed)
        let expected = try await alone(load, path, contextLength: contextLength)
        let found = try await together(load, path, contextLength: contextLength, pageCount: pageCount)
        for (index, entry) in load.entries.enumerated() {
            let (one, other) = (expected[index], found.outcomes[index])
            guard entry.patience == nil else {
                for (choice, answer) in other.choices {
                    #expect(one.choices[choice]?.ids.starts(with: answer.ids) == true, "request \(index), seed \(seed)")
                }
                continue
            }
            for choice in 0..<entry.request.choiceCount {
                let (expected, answer) = (one.choices[choice], other.choices[choice])
                guard choice == 0, answer?.reason == .cancelled, let answer else {
                    #expect(expected == answer, "request \(index), choice \(choice), seed \(seed)")
                    continue
                }
                #expect(answer.ids.count >= entry.choicePatience ?? .max, "request \(index), seed \(seed)")
                #expect(expected?.ids.starts(with: answer.ids) == true, "request \(index), seed \(seed)")
            }
            #expect(other.choices.count == entry.request.choiceCount)
            if entry.request.promptLogprobCount != nil {
                #expect(one.promptBits == other.promptBits, "request \(index), seed \(seed)")
            }
        }
        #expect(
            zip(load.entries, found.outcomes).contains { $0.patience == nil && $1.choices[0]?.reason == .cancelled },
            "choices were given up, seed \(seed)")
        #expect(found.preemptionCount > 0, "pages ran out, seed \(seed)")
        #expect(found.outcomes.contains { ($0.usage?.cachedTokenCount ?? 0) > 0 }, "prefixes were found, seed \(seed)")
    }

    @Test func `requests of all kinds at once on three uneven workers give what each gives alone`() async throws {
        try await expectEqual(
            DemoModelFile.url.path, count: 200, vocabularySize: 1000, contextLength: 320, pageCount: 9, seed: 4)
    }

    @Test(.enabled(if: Fixtures.areHere, Comment(rawValue: Fixtures.reason)))
    func `requests that cross into the long factors under load give what each gives alone`() async throws {
        try await expectEqual(
            try Fixtures.file("models/phi3-128k-like").path, count: 100, vocabularySize: 560, contextLength: 256,
            pageCount: 6, seed: 5)
    }

    @Test func `a repeated prompt costs little and says so`() async throws {
        let cluster = TestCluster(modelPath: DemoModelFile.url.path, workerCount: 2)
        let request = GenerationRequest(
            id: RequestID("again"), prompt: ExactnessTests.prompt(count: 300, below: 1000), maxTokens: 3,
            sampling: SamplingParameters(temperature: 0), ignoreEndOfSequence: true, logprobCount: 2)
        try await cluster.run { coordinator in
            let entry = MixedLoad.Entry(request: request, patience: nil)
            let first = try await coordinator.outcome(of: entry)
            let second = try await coordinator.outcome(of: entry)
            #expect(first.choices == second.choices)
            #expect(first.usage?.cachedTokenCount == 0 && second.usage?.cachedTokenCount == 256)
        }
    }

    @Test func `a queue that is full refuses with the advice when to come again`() async throws {
        var cluster = TestCluster(modelPath: DemoModelFile.url.path)
        cluster.runningSequenceLimit = 1
        cluster.waitingRequestLimit = 1
        let load = MixedLoad(count: 12, vocabularySize: 1000, contextLength: 320, seed: 6)
        try await cluster.run { coordinator in
            let refusals = try await withThrowingTaskGroup(of: EngineError?.self) { group in
                for entry in load.entries {
                    group.addTask {
                        do {
                            _ = try await coordinator.outcome(of: entry)
                            return nil
                        } catch let error as EngineError {
                            return error
                        }
                    }
                }
                return try await group.reduce(into: [EngineError]()) { if let error = $1 { $0.append(error) } }
            }
            #expect(!refusals.isEmpty && refusals.count <= 10)
            #expect(refusals.allSatisfy { $0.code == .overloaded && ($0.retryAfterSeconds ?? 0) > 0 })
        }
    }

    @Test func `memory for less than a context is refused with the numbers`() async throws {
        var cluster = TestCluster(modelPath: DemoModelFile.url.path)
        cluster.contextLength = 320
        cluster.kvMemoryByteCount = try MixedLoad.kvByteCount(cluster.modelPath, pageCount: 4)
        await #expect {
            try await cluster.run { _ in }
        } throws: { error in
            "\(error)".contains("hold 256 tokens, less than one context of 320")
        }
    }
}
