import Foundation
import Inference
import TestSupport
import Testing

@testable import CoordinatorNode

/// Ways between two stages that damage what they carry, or end in silence.
@Suite struct LinkTests {
    private let request = GenerationRequest(
        id: RequestID("r"), prompt: ExactnessTests.prompt(count: 30, below: 1000), maxTokens: 60, seed: 1,
        ignoreEndOfSequence: true)

    private func cluster(_ transport: LossyTransport) -> TestCluster {
        var cluster = TestCluster(modelPath: DemoModelFile.url.path, workerCount: 2)
        cluster.transport = transport
        cluster.heartbeatMilliseconds = 100
        return cluster
    }

    private func undisturbed() async throws -> [Int32] {
        try await TestCluster(modelPath: DemoModelFile.url.path).run { try await $0.answer(request).ids }
    }

    @Test func `a link that damages activations again and again is named, and the stream goes on elsewhere`()
        async throws
    {
        let expected = try await undisturbed()
        let transport = LossyTransport()
        try await cluster(transport).runElastic { running in
            let coordinator = running.coordinator
            let second = try #require(try await coordinator.status().workers.dropFirst().first)
            var ids: [Int32] = []
            for try await event in try await coordinator.generate(request).events {
                guard case .token(_, let token) = event else { continue }
                ids.append(token.token)
                if ids.count == 10 { transport.damageActivations(to: second.id.rawValue) }
            }
            #expect(ids == expected)
            let workers = try await coordinator.status().workers
            let detail = workers.first { $0.state == .failed }?.detail ?? ""
            #expect(detail.contains("arrived damaged") && detail.contains("\(second.id)"), "\(detail)")
            #expect(workers.filter { $0.layers != nil }.count == 1)
        }
    }

    @Test func `a cut between two stages is found while nothing runs`() async throws {
        let expected = try await undisturbed()
        let transport = LossyTransport()
        var cluster = cluster(transport)
        cluster.progressMilliseconds = 500
        try await cluster.runElastic { running in
            let coordinator = running.coordinator
            let second = try #require(try await coordinator.status().workers.dropFirst().first)
            transport.cut(to: second.id.rawValue)
            while try await coordinator.status().workers.first(where: { $0.id == second.id })?.state != .failed {
                try await Task.sleep(for: .milliseconds(10))
            }
            let detail = try await coordinator.status().workers.first { $0.id == second.id }?.detail ?? ""
            #expect(detail.contains("the link between them is cut"), "\(detail)")
            #expect(try await coordinator.answer(request).ids == expected)
        }
    }
}
