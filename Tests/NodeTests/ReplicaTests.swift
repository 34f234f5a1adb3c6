import Foundation
import Inference
import Scheduling
import TestSupport
import Testing

@testable import CoordinatorNode

/// Several pipelines serve at once, come and go, and no answer changes.
@Suite struct ReplicaTests {
    private func cluster(_ workerCount: Int, replicas: Int? = nil) -> TestCluster {
        TestCluster(modelPath: DemoModelFile.url.path, workerCount: workerCount, replicaCount: replicas)
    }

    /// Greedy and seeded ones; some with a prefix in common.
    private func requests(_ count: Int, maxTokens: Int = 40) -> [GenerationRequest] {
        (0..<count).map { number in
            let shared = ExactnessTests.prompt(count: 100 + 50 * (number % 3), below: 1000)
            return GenerationRequest(
                id: RequestID("r\(number)"), prompt: shared + [Int32(3 + number)], maxTokens: maxTokens,
                sampling: SamplingParameters(temperature: number.isMultiple(of: 2) ? 0 : 0.9), seed: UInt64(number),
                ignoreEndOfSequence: true, logprobCount: 2)
        }
    }

    /// Each alone, on one worker.
    private func alone(_ requests: [GenerationRequest]) async throws -> [Answer] {
        try await cluster(1).run { coordinator in
            var answers: [Answer] = []
            for request in requests { answers.append(try await coordinator.answer(request)) }
            return answers
        }
    }

    private func waitUntil(_ coordinator: Coordinator, serves count: Int) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(60))
        while true {
            let workers = try await coordinator.status().workers.filter { $0.state == .ready }
            if Set(workers.compactMap(\.replica)).count == count { return }
            guard ContinuousClock.now < deadline else {
                throw TestCluster.Failure(description: "\(count) replicas did not come to serve")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func expectEqual(_ found: [Answer], _ expected: [Answer]) {
        for (index, (one, other)) in zip(found, expected).enumerated() {
            #expect(one.ids == other.ids && one.bits == other.bits && one.reason == other.reason, "request \(index)")
            #expect(one.usage == other.usage, "request \(index)")
        }
    }

    @Test func `two pipelines of two workers serve at once what each request gives alone`() async throws {
        let requests = requests(16)
        let expected = try await alone(requests)
        try await cluster(4, replicas: 2).runElastic { running in
            let coordinator = running.coordinator
            try await waitUntil(coordinator, serves: 2)
            #expect(try await coordinator.status().workers.map(\.replica) == [0, 0, 1, 1])
            expectEqual(try await coordinator.answers(requests), expected)
            let counts = await coordinator.router.schedulers.map(\.completedRequestCount)
            #expect(counts.count == 2 && counts.allSatisfy { $0 > 0 }, "\(counts)")
            #expect(try await coordinator.status().completedRequestCount == 16)
        }
    }

    @Test func `a worker that joins serves beside, and the streams that run go on where they are`() async throws {
        let requests = requests(8, maxTokens: 200)
        let expected = try await alone(requests)
        var small = cluster(2)
        small.runningSequenceLimit = 4
        // One pipeline, of which each worker is needed to have all pages.
        small.split = [1, try ExactnessTests.layerCount(small.modelPath) - 1]
        small.replicaCount = 2
        try await small.runElastic { running in
            let coordinator = running.coordinator
            let before = await coordinator.router.schedulers[0].epoch
            let answering = Task { try await coordinator.answers(requests) }
            while await coordinator.router.runningRequestCount < 4 { try await Task.sleep(for: .milliseconds(1)) }
            running.start(2)
            running.start(3)
            try await waitUntil(coordinator, serves: 2)
            expectEqual(try await answering.value, expected)
            let schedulers = await coordinator.router.schedulers
            #expect(schedulers[0].epoch == before && schedulers[0].preemptionCount == 0)
            #expect(schedulers[0].completedRequestCount >= 4)
            #expect(schedulers[1].completedRequestCount > 0, "those that waited spread")
        }
    }

    @Test func `the streams of a replica that loses a worker go on in another with the same tokens`() async throws {
        let requests = requests(8, maxTokens: 200)
        let expected = try await alone(requests)
        try await cluster(4, replicas: 2).runElastic { running in
            let coordinator = running.coordinator
            try await waitUntil(coordinator, serves: 2)
            let answering = Task { try await coordinator.answers(requests) }
            while await !coordinator.router.schedulers.allSatisfy({ $0.generatedTokenCount > 40 }) {
                try await Task.sleep(for: .milliseconds(1))
            }
            let other = await coordinator.router.schedulers[0].epoch
            let victim = try await coordinator.status().workers.first { $0.replica == 1 }
            let index = try #require(victim.flatMap { Int($0.id.rawValue.dropFirst("worker-".count)) })
            running.kill(index)
            expectEqual(try await answering.value, expected)
            // The one that was left of the pair holds the model by itself.
            try await waitUntil(coordinator, serves: 2)
            #expect(await coordinator.router.schedulers[0].epoch == other)
            #expect(try await coordinator.status().workers.count == 3)
        }
    }

    @Test func `when all replicas are lost the requests wait for the next worker`() async throws {
        let requests = requests(4, maxTokens: 100)
        let expected = try await alone(requests)
        try await cluster(2, replicas: 2).runElastic { running in
            let coordinator = running.coordinator
            try await waitUntil(coordinator, serves: 2)
            let answering = Task { try await coordinator.answers(requests) }
            while await coordinator.router.generatedTokenCount < 40 { try await Task.sleep(for: .milliseconds(1)) }
            running.kill(0)
            running.kill(1)
            while try await coordinator.status().state != .waiting { try await Task.sleep(for: .milliseconds(1)) }
            running.start(2)
            expectEqual(try await answering.value, expected)
        }
    }
}
