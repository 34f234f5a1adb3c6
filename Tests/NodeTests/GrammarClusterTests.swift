import Checkpoint
import CoordinatorNode
import Foundation
import Grammar
import Inference
import TestSupport
import Testing
import Tokenization

/// Grammars through the whole cluster, with the demo model, which knows nothing of JSON.
@Suite struct GrammarClusterTests {
    private static let path = DemoModelFile.url.path

    private static func gbnf(_ schema: String) throws -> String {
        var text = GrammarText()
        text.define("root", try text.add(schema: SchemaValue(try JSONTree(schema))))
        return text.gbnf
    }

    private static func request(
        _ gbnf: String, seed: UInt64, maxTokens: Int = 160, temperature: Float = 1.6, beginsText: Bool = true
    ) -> GenerationRequest {
        GenerationRequest(
            id: RequestID("g\(seed)"), prompt: ExactnessTests.prompt(count: 70, below: 1000), maxTokens: maxTokens,
            sampling: SamplingParameters(temperature: temperature, presencePenalty: 0.5, repetitionPenalty: 1.1),
            seed: seed, logprobCount: 2, grammar: GrammarConstraint(gbnf: gbnf, beginsText: beginsText))
    }

    @Test func `every answer that ends by itself parses and validates, whatever the sampling`() async throws {
        let tokenizer = try Tokenizer(Checkpoint.open(Self.path).tokenizerDefinition())
        var schemas = RandomSchema(seed: 21)
        let all = (0..<120).map { _ in schemas.next() }
        let cluster = TestCluster(modelPath: Self.path, workerCount: 2)
        let answers = try await cluster.run { coordinator in
            try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
                var next = 0
                func add() throws {
                    let temperature: Float = [0, 0.8, 1.6, 5][next % 4]
                    let request = Self.request(
                        try Self.gbnf(all[next / 3]), seed: UInt64(next), maxTokens: 240, temperature: temperature)
                    group.addTask { [next] in (next, try await coordinator.answer(request)) }
                    next += 1
                }
                while next < 16 { try add() }
                var answers: [Int: Answer] = [:]
                for try await (number, answer) in group {
                    answers[number] = answer
                    if next < all.count * 3 { try add() }
                }
                return answers
            }
        }
        #expect(answers.count == all.count * 3)
        var endedCount = 0
        for (number, answer) in answers where answer.reason == .stop {
            endedCount += 1
            let text = tokenizer.decode(answer.ids)
            let problem: String?
            do {
                problem = SchemaCheck(try JSONTree(all[number / 3])).problem(try JSONTree(text))
            } catch {
                problem = "\(error)"
            }
            #expect(problem == nil, "\(all[number / 3])\nanswer \(number): \(text)")
        }
        #expect(endedCount > 150, "\(endedCount) ended")
    }

    private static let grammars = [
        "root ::= \"{\" pair (\",\" pair){2,5} \"}\"\npair ::= \"\\\"\" [a-z]{1,40} \"\\\": \" [0-9]{1,30}",
        "root ::= word (\" \" word)*\nword ::= [A-Z] [a-z]+",
        "root ::= \"(\" root* \")\" | [a-f]{3}",
    ]

    private func answers(_ cluster: TestCluster) async throws -> [Answer] {
        try await cluster.run { coordinator in
            var answers: [Answer] = []
            for (index, gbnf) in Self.grammars.enumerated() {
                for beginsText in [true, false] {
                    let request = Self.request(gbnf, seed: UInt64(index), maxTokens: 40, beginsText: beginsText)
                    answers.append(try await coordinator.answer(request))
                }
            }
            return answers
        }
    }

    @Test func `the split, the threads and the chunks change nothing`() async throws {
        let reference = try await answers(TestCluster(modelPath: Self.path))
        #expect(Set(reference.map(\.ids)).count > 3)
        for (workerCount, threadCount, chunkRowCount) in [(2, 1, 7), (3, 2, 256), (4, 1, 64)] {
            let found = try await answers(
                TestCluster(
                    modelPath: Self.path, workerCount: workerCount, threadCount: threadCount,
                    chunkRowCount: chunkRowCount))
            #expect(found.map(\.ids) == reference.map(\.ids))
            #expect(found.map(\.bits) == reference.map(\.bits))
        }
    }

    @Test func `company, resuming and few pages change nothing`() async throws {
        let requests = (0..<24).map { number in
            Self.request(Self.grammars[number % 3], seed: UInt64(number), maxTokens: 120)
        }
        var crowded = TestCluster(modelPath: Self.path, workerCount: 2)
        crowded.contextLength = 320
        crowded.kvMemoryByteCount = try MixedLoad.kvByteCount(Self.path, pageCount: 9)
        let together = try await crowded.run { coordinator in
            try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
                for (number, request) in requests.enumerated() {
                    group.addTask { (number, try await coordinator.answer(request)) }
                }
                return try await group.reduce(into: [Int: Answer]()) { $0[$1.0] = $1.1 }
            }
        }
        var roomy = TestCluster(modelPath: Self.path)
        roomy.contextLength = 320
        try await roomy.run { coordinator in
            for (number, request) in requests.enumerated() {
                let alone = try await coordinator.answer(request)
                #expect(together[number]?.ids == alone.ids, "request \(number)")
                #expect(together[number]?.bits == alone.bits, "request \(number)")
                guard alone.ids.count > 4, number < 6 else { continue }
                var resumed = request
                resumed.generated = Array(alone.ids.prefix(alone.ids.count / 2))
                let rest = try await coordinator.answer(resumed)
                #expect(rest.ids == Array(alone.ids.dropFirst(alone.ids.count / 2)))
            }
        }
    }

    @Test func `a worker's death changes nothing`() async throws {
        let request = Self.request(Self.grammars[0], seed: 5, maxTokens: 200, temperature: 2)
        let expected = try await TestCluster(modelPath: Self.path).run { try await $0.answer(request) }
        var cluster = TestCluster(modelPath: Self.path, workerCount: 3)
        cluster.heartbeatMilliseconds = 50
        let found = try await cluster.runElastic { running in
            var answer = Answer()
            for try await event in try await running.coordinator.generate(request).events {
                if case .token(_, let score) = event {
                    answer.ids.append(score.token)
                    if answer.ids.count == min(20, expected.ids.count / 2) { running.kill(1) }
                }
            }
            return answer
        }
        #expect(found.ids == expected.ids)
        #expect(expected.ids.count > 4)
    }

    @Test func `what is wrong with a grammar is said before anything is queued`() async throws {
        try await TestCluster(modelPath: Self.path).run { coordinator in
            var goingOn = Self.request(Self.grammars[0], seed: 1)
            goingOn.ignoreEndOfSequence = true
            var strange = Self.request(Self.grammars[0], seed: 1)
            strange.generated = [5, 6]
            for (request, parameter) in [
                (Self.request("root ::= other", seed: 1), "grammar"), (goingOn, "ignore_eos"), (strange, "generated"),
            ] {
                let error = await #expect(throws: EngineError.self) { try await coordinator.answer(request) }
                #expect(error?.code == .invalidRequest && error?.parameter == parameter)
            }
            let waitingCount = try await coordinator.status().waitingRequestCount
            #expect(waitingCount == 0)
        }
    }

    @Test func `a forced answer is exactly what the grammar says`() async throws {
        let tokenizer = try Tokenizer(Checkpoint.open(Self.path).tokenizerDefinition())
        let text = "Grüße, {\"世界\": 🙂}"
        try await TestCluster(modelPath: Self.path, workerCount: 2).run { coordinator in
            var request = Self.request("root ::= \(GrammarText.literal(text))", seed: 3)
            request.choiceCount = 3
            var ids: [Int: [Int32]] = [:]
            for try await event in try await coordinator.generate(request).events {
                if case .token(let choice, let score) = event { ids[choice, default: []].append(score.token) }
            }
            #expect(ids.count == 3)
            for choice in ids.values { #expect(tokenizer.decode(choice) == text) }
        }
    }
}
