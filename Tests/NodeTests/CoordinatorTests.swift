import CoordinatorNode
import Foundation
import Inference
import TestSupport
import Testing

@Suite struct CoordinatorTests {
    private let demo = TestCluster(modelPath: DemoModelFile.url.path, workerCount: 2)

    private func request(_ name: String, count: Int = 8, maxTokens: Int? = 4, seed: UInt64? = 1) -> GenerationRequest {
        GenerationRequest(
            id: RequestID(name), prompt: ExactnessTests.prompt(count: count, below: 1000), maxTokens: maxTokens,
            seed: seed, ignoreEndOfSequence: true)
    }

    @Test func `requests that come together are all answered, each as if alone`() async throws {
        let (together, alone) = try await demo.run { coordinator in
            let together = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
                for index in 0..<12 {
                    let request = request("r\(index)", count: 5 + index)
                    group.addTask { (index, try await coordinator.answer(request)) }
                }
                var answers: [Int: Answer] = [:]
                for try await (index, answer) in group { answers[index] = answer }
                return answers
            }
            var alone: [Int: Answer] = [:]
            for index in 0..<12 {
                alone[index] = try await coordinator.answer(request("r\(index)", count: 5 + index))
            }
            return (together, alone)
        }
        #expect(together.count == 12)
        #expect(together == alone)
    }

    @Test func `a context that overflows is refused with the numbers`() async throws {
        var cluster = demo
        cluster.contextLength = 100
        try await cluster.run { coordinator in
            await #expect {
                _ = try await coordinator.answer(request("long", count: 90, maxTokens: 11))
            } throws: { error in
                guard let error = error as? EngineError else { return false }
                return error.code == .contextOverflow && error.message.contains("100")
            }
            let answer = try await coordinator.answer(request("fits", count: 90, maxTokens: 10))
            #expect(answer.ids.count == 10)
        }
    }

    @Test func `several choices differ by their number and repeat with the seed`() async throws {
        try await demo.run { coordinator in
            func choices() async throws -> [Int: [Int32]] {
                var many = request("n", maxTokens: 12)
                many.choiceCount = 3
                var ids: [Int: [Int32]] = [:]
                for try await event in try await coordinator.generate(many).events {
                    if case .token(let choice, let token) = event { ids[choice, default: []].append(token.token) }
                }
                return ids
            }
            let first = try await choices()
            #expect(first.count == 3)
            #expect(Set(first.values).count == 3)
            #expect(try await choices() == first)
        }
    }

    @Test func `an abandoned request frees the cluster for the next`() async throws {
        try await demo.run { coordinator in
            do {
                let stream = try await coordinator.generate(request("abandoned", maxTokens: 400))
                for try await event in stream.events {
                    if case .token = event { break }
                }
            }
            let answer = try await coordinator.answer(request("next"))
            #expect(answer.ids.count == 4)
            let status = try await coordinator.status()
            #expect(status.runningRequestCount == 0)
            #expect(status.waitingRequestCount == 0)
        }
    }

    @Test func `a stream goes on with the same tokens when a worker is lost`() async throws {
        var cluster = demo
        cluster.workerCount = 3
        let request = request("long", maxTokens: 300)
        let undisturbed = try await cluster.run { try await $0.answer(request) }
        let disturbed = try await cluster.runElastic { running in
            let coordinator = running.coordinator
            var ids: [Int32] = []
            for try await event in try await coordinator.generate(request).events {
                guard case .token(_, let token) = event else { continue }
                ids.append(token.token)
                if ids.count == 20 { running.kill(1) }
            }
            let status = try await coordinator.status()
            #expect(status.workers.filter { $0.layers != nil }.count == 2)
            #expect(status.epoch.plan > 1)
            return ids
        }
        #expect(disturbed == undisturbed.ids)
    }

    @Test func `a stream goes on with the same tokens when the way to a stage is cut in one direction`() async throws {
        var cluster = demo
        cluster.workerCount = 3
        let request = request("long", maxTokens: 200)
        let undisturbed = try await cluster.run { try await $0.answer(request) }
        let transport = LossyTransport()
        cluster.transport = transport
        cluster.heartbeatMilliseconds = 100
        cluster.progressMilliseconds = 1500
        let disturbed = try await cluster.runElastic { running in
            let coordinator = running.coordinator
            let middle = try #require(try await coordinator.status().workers.dropFirst().first)
            var ids: [Int32] = []
            for try await event in try await coordinator.generate(request).events {
                guard case .token(_, let token) = event else { continue }
                ids.append(token.token)
                if ids.count == 20 { transport.loseActivations(to: middle.id.rawValue) }
            }
            let workers = try await coordinator.status().workers
            #expect(workers.filter { $0.layers != nil }.count == 2)
            let blamed = workers.first { $0.id == middle.id }
            #expect(blamed?.state == .failed)
            #expect(blamed?.detail?.contains("never began step") == true, "\(blamed?.detail ?? "")")
            return ids
        }
        #expect(disturbed == undisturbed.ids)
    }

    @Test func `a model that does not fit is refused with the numbers`() async throws {
        var cluster = demo
        cluster.memoryByteCount = 1 << 20
        await #expect {
            try await cluster.run { _ in }
        } throws: { error in
            "\(error)".contains("MiB")
        }
    }

    @Test func `the status shows who holds what`() async throws {
        try await demo.run { coordinator in
            _ = try await coordinator.answer(request("work"))
            let status = try await coordinator.status()
            #expect(status.state == .ready)
            #expect(status.workers.map { $0.layers?.first }.first == 0)
            #expect(status.workers.compactMap(\.layers).reduce(0) { $0 + $1.count } == status.model.layerCount)
            #expect(status.workers.allSatisfy { $0.memoryByteCount > 0 && $0.state == .ready })
            #expect(status.generatedTokenCount >= 4)
            let scheduling = status.scheduling
            #expect(scheduling.pageCount > 0 && scheduling.usedPageCount == 0)
            #expect(scheduling.stepCount >= 4 && scheduling.rowCount >= 8 + 3)
            #expect(scheduling.lookedUpTokenCount == 8 && scheduling.hitTokenCount == 0)
            // Three tokens wait for the one before them.
            #expect(scheduling.turnaround.count >= 3 && scheduling.turnaround.medianMicroseconds > 0)
            #expect(scheduling.turnaround.mostMicroseconds >= scheduling.turnaround.p99Microseconds)
        }
    }
}
