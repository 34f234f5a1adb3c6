import CoordinatorNode
import Foundation
import Inference
import TestSupport
import Testing

@testable import Gateway

/// Stop strings through the gateway's own path to a real cluster: the same answers under load as alone.
@Suite struct StopStringTests {
    /// What a job answered: each choice's text, tokens and end.
    private struct Answered: Equatable {
        var texts: [String]
        var tokens: [[Int32]]
        var ends: [ChoiceEnd?]
    }

    private func job(_ number: Int, stops: [String], _ model: ModelDescription, _ codec: any TextCodec) throws
        -> AnswerJob
    {
        let body: JSONValue = [
            "stop": .array(stops.map { .string($0) }), "n": .integer(2), "seed": .integer(Int64(number)),
            "ignore_eos": .bool(true),
        ]
        let shared = try SharedParameters(RequestFields(body), configuration: GatewayConfiguration())
        return AnswerJob(
            id: "stop-\(number)", createdSeconds: 0, model: model, codec: codec, shared: shared,
            prompts: [ExactnessTests.prompt(count: 20 + 7 * number, below: 1000)], maxTokens: 48, echoes: false,
            logprobCount: 0, continuesText: true, listsEndToken: true, timeoutMilliseconds: nil, client: "")
    }

    private func answer(_ job: AnswerJob, _ engine: any Engine) async throws -> Answered {
        let run = try await AnswerRun(
            engine: engine, job: job, connection: nil, farewell: Ending(), concurrentPromptCount: 1,
            meter: AnswerMeter(GatewayMetrics(), began: .now, choiceCount: job.choiceCount))
        var answered = Answered(
            texts: Array(repeating: "", count: 2), tokens: Array(repeating: [], count: 2), ends: [nil, nil])
        _ = try await run.forEach { item in
            guard case .delta(let choice, let delta) = item else { return }
            answered.texts[choice] += delta.text
            answered.tokens[choice] += delta.tokens.map(\.token)
            answered.ends[choice] = delta.end ?? answered.ends[choice]
        }
        return answered
    }

    @Test func `stop strings across tokens cut the same place under load as alone`() async throws {
        let cluster = TestCluster(modelPath: DemoModelFile.url.path, workerCount: 3, chunkRowCount: 32)
        try await cluster.run { coordinator in
            let (model, codec) = try await ServedModel(engine: coordinator, load: TokenizerCodec.load).current()
            var jobs: [AnswerJob] = []
            var alone: [Answered] = []
            for number in 0..<12 {
                let whole = try await answer(try job(number, stops: [], model, codec), coordinator)
                let text = Array(whole.texts[0])
                // Three characters of the answer's middle, which no single token needs to have.
                let stop = String(text[(text.count / 2)..<min(text.count / 2 + 3, text.count)])
                let stopped = try job(number, stops: [stop], model, codec)
                let cut = try await answer(stopped, coordinator)
                #expect(cut.ends[0] == .stop)
                #expect(whole.texts[0].hasPrefix(cut.texts[0]) && !cut.texts[0].contains(stop))
                #expect(whole.texts[1].hasPrefix(cut.texts[1]))
                jobs.append(stopped)
                alone.append(cut)
            }
            let together = try await withThrowingTaskGroup(of: (Int, Answered).self) { group in
                for (index, job) in jobs.enumerated() {
                    group.addTask { (index, try await answer(job, coordinator)) }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            for (index, expected) in alone.enumerated() { #expect(together[index] == expected, "job \(index)") }
        }
    }
}
