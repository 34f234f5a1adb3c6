import Foundation
import Inference
import Scheduling
import TestSupport
import Testing

@testable import CoordinatorNode

/// A request that makes workers fail must not take the others with it.
@Suite struct IsolationTests {
    private let poison: Int32 = 77

    private func requests(_ count: Int) -> [GenerationRequest] {
        (0..<count).map { number in
            // None computes the deadly token, also not in its answer.
            GenerationRequest(
                id: RequestID("r\(number)"), prompt: ExactnessTests.prompt(count: 40 + number, below: 70),
                maxTokens: 60,
                sampling: SamplingParameters(
                    temperature: number.isMultiple(of: 2) ? 0 : 0.9, logitBias: [LogitBias(token: poison, bias: -100)]),
                seed: UInt64(number), ignoreEndOfSequence: true)
        }
    }

    @Test(arguments: [1, 2]) func `a request that kills workers ends with an error of its own, the others go on`(
        replicaCount: Int
    ) async throws {
        let requests = requests(6)
        let calm = TestCluster(modelPath: DemoModelFile.url.path, workerCount: 1)
        let expected = try await calm.run { try await $0.answers(requests) }
        let transport = DeadlyTransport(token: poison)
        var cluster = calm
        cluster.workerCount = 2
        cluster.replicaCount = replicaCount
        cluster.transport = transport
        try await cluster.run { coordinator in
            let answering = Task { try await coordinator.answers(requests) }
            while await coordinator.router.generatedTokenCount < 30 { try await Task.sleep(for: .milliseconds(1)) }
            let prompt = ExactnessTests.prompt(count: 20, below: 70) + [poison, 3]
            let error = await #expect(throws: EngineError.self) {
                try await coordinator.answer(GenerationRequest(id: RequestID("deadly"), prompt: prompt, maxTokens: 5))
            }
            #expect(error?.code == .requestFailed)
            #expect(error?.message.contains("is lost: the process died") == true, "\(error?.message ?? "")")
            let answers = try await answering.value
            for (index, (found, right)) in zip(answers, expected).enumerated() {
                #expect(found.ids == right.ids && found.reason == right.reason, "request \(index)")
            }
        }
        let deaths = transport.deadlySteps
        #expect(deaths.count == 3, "\(deaths)")
        #expect(deaths.last?.count == 1, "it was alone at last")
    }
}
