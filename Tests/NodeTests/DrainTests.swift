import Cluster
import Foundation
import Inference
import Scheduling
import TestSupport
import Testing
import Transport

@testable import CoordinatorNode

/// Workers leave while streams run, and no answer changes.
@Suite struct DrainTests {
    private func cluster(_ workerCount: Int) -> TestCluster {
        TestCluster(modelPath: DemoModelFile.url.path, workerCount: workerCount)
    }

    private func alone(_ requests: [GenerationRequest]) async throws -> [Answer] {
        try await cluster(1).run { try await $0.answers(requests) }
    }

    private func waitForTokens(_ coordinator: Coordinator, _ count: Int) async throws {
        while await coordinator.router.generatedTokenCount < count { try await Task.sleep(for: .milliseconds(1)) }
    }

    @Test(arguments: [KVType.f16, .q8x0])
    func `a worker is drained while streams run, and nothing is computed again`(kvType: KVType) async throws {
        let requests = GenerationRequest.distinct(6, maxTokens: 250)
        var (one, three) = (cluster(1), cluster(3))
        (one.kvType, three.kvType) = (kvType, kvType)
        let expected = try await one.run { try await $0.answers(requests) }
        try await three.runElastic { running in
            let coordinator = running.coordinator
            let epoch = try await coordinator.status().epoch
            let answering = Task { try await coordinator.answers(requests) }
            try await waitForTokens(coordinator, 60)
            try await coordinator.drain(NodeID("worker-1"))
            try await running.waitForEnd(of: 1)
            #expect(try await answering.value == expected)
            #expect(try await coordinator.status().epoch > epoch)
            #expect(await coordinator.router.activity.rowCount == requests.leastRowCount)
            let workers = try await coordinator.status().workers
            #expect(Set(workers.map(\.id.rawValue)) == ["worker-0", "worker-2"])
        }
    }

    @Test func `a worker without which nothing goes is not drained, and neither is a stranger`() async throws {
        let requests = GenerationRequest.mixed(2, maxTokens: 60)
        let expected = try await alone(requests)
        try await cluster(1).run { coordinator in
            let answering = Task { try await coordinator.answers(requests) }
            try await waitForTokens(coordinator, 10)
            let epoch = try await coordinator.status().epoch
            let needed = await #expect(throws: RPCError.self) { try await coordinator.drain(NodeID("worker-0")) }
            #expect(needed?.code == .failedPrecondition)
            let unknown = await #expect(throws: RPCError.self) { try await coordinator.drain(NodeID("nobody")) }
            #expect(unknown?.code == .notFound && unknown?.message.contains("worker-0") == true)
            #expect(try await answering.value == expected)
            #expect(try await coordinator.status().epoch == epoch)
        }
    }

    @Test func `a worker that asks to leave stays until another one can take its place`() async throws {
        let requests = GenerationRequest.mixed(4, maxTokens: 300)
        let expected = try await alone(requests)
        try await cluster(1).runElastic { running in
            let coordinator = running.coordinator
            let answering = Task { try await coordinator.answers(requests) }
            try await waitForTokens(coordinator, 20)
            await running.leave(0, within: .seconds(600))
            while try await coordinator.status().workers.first?.detail == nil {
                try await Task.sleep(for: .milliseconds(1))
            }
            #expect(try await coordinator.status().state == .ready)
            running.start(1)
            try await running.waitForEnd(of: 0)
            #expect(try await answering.value == expected)
            #expect(try await coordinator.status().workers.map(\.id.rawValue) == ["worker-1"])
        }
    }

    @Test func `a worker that is needed leaves with a goodbye when its patience ends`() async throws {
        try await cluster(1).runElastic { running in
            await running.leave(0, within: .milliseconds(50))
            try await running.waitForEnd(of: 0)
            let status = try await running.coordinator.status()
            #expect(status.state == .waiting && status.workers.isEmpty)
        }
    }

    @Test func `all workers are replaced one by one under load, and nothing is computed again`() async throws {
        let requests = GenerationRequest.distinct(6, maxTokens: 300)
        let expected = try await alone(requests)
        try await cluster(2).runElastic { running in
            let coordinator = running.coordinator
            let answering = Task { try await coordinator.answers(requests) }
            for index in 0..<2 {
                try await waitForTokens(coordinator, 100 * (index + 1))
                running.start(index + 2)
                while try await coordinator.status().workers.count < 3 { try await Task.sleep(for: .milliseconds(1)) }
                await running.leave(index, within: .seconds(600))
                try await running.waitForEnd(of: index)
            }
            #expect(try await answering.value == expected)
            #expect(await coordinator.router.activity.rowCount == requests.leastRowCount)
            let workers = try await coordinator.status().workers
            #expect(Set(workers.map(\.id.rawValue)) == ["worker-2", "worker-3"])
        }
    }

    @Test func `a worker that takes over and dies on the way changes no answer`() async throws {
        let requests = GenerationRequest.distinct(4, maxTokens: 250)
        let expected = try await alone(requests)
        try await cluster(2).runElastic { running in
            let coordinator = running.coordinator
            running.start(2)
            while try await coordinator.status().workers.count < 3 { try await Task.sleep(for: .milliseconds(1)) }
            let answering = Task { try await coordinator.answers(requests) }
            try await waitForTokens(coordinator, 40)
            try await coordinator.drain(NodeID("worker-0"))
            running.kill(2)
            try await running.waitForEnd(of: 0)
            #expect(try await answering.value == expected)
            #expect(try await coordinator.status().workers.map(\.id.rawValue) == ["worker-1"])
        }
    }
}
