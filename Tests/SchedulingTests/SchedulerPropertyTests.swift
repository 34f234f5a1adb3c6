import Inference
import TestSupport
import Testing

@testable import Scheduling

/// Whatever happens around it, a request gets the tokens of plain generation.
@Suite struct SchedulerPropertyTests {
    static let contextLength = 300

    static func configuration(
        chunk: Int = 64, paced: Int? = nil, running: Int = 1, original: Int? = nil, forcesLong: Bool = false
    ) -> SchedulerConfiguration {
        SchedulerConfiguration(
            contextLength: contextLength, vocabularySize: ToyModel.vocabularySize,
            endOfSequenceTokens: [ToyModel.endToken], originalContextLength: original, forcesLongRope: forcesLong,
            maxRowCount: max(chunk, 8), prefillChunkRowCount: chunk, pacedChunkRowCount: paced,
            waitingRequestLimit: 1000, runningSequenceLimit: running)
    }

    static func request(_ random: inout SeededGenerator, number: Int) -> GenerationRequest {
        func token() -> Int32 { Int32.random(in: 1..<Int32(ToyModel.vocabularySize), using: &random) }
        let promptCount =
            Int.random(in: 0..<4, using: &random) == 0
            ? Int.random(in: 1...8, using: &random) : Int.random(in: 1..<contextLength, using: &random)
        if Int.random(in: 0..<6, using: &random) == 0 {
            return GenerationRequest(
                id: RequestID("r\(number)"), prompt: prompt(count: promptCount, &random), maxTokens: 0,
                seed: UInt64.random(in: 0...1000, using: &random), client: "a",
                priority: Int.random(in: -1...1, using: &random), wantsEmbedding: true)
        }
        let room = contextLength - promptCount
        let maxTokens: Int? = Bool.random(using: &random) ? nil : Int.random(in: 0...min(room, 120), using: &random)
        let isResumed = Int.random(in: 0..<4, using: &random) == 0
        let generatedCount = isResumed ? Int.random(in: 0...min(maxTokens ?? room, 40), using: &random) : 0
        return GenerationRequest(
            id: RequestID("r\(number)"), prompt: prompt(count: promptCount, &random),
            generated: (0..<generatedCount).map { _ in token() },
            choiceCount: generatedCount > 0 ? 1 : Int.random(in: 1...3, using: &random), maxTokens: maxTokens,
            seed: UInt64.random(in: 0...1000, using: &random), ignoreEndOfSequence: Bool.random(using: &random),
            stopTokens: Bool.random(using: &random) ? [] : [token()],
            logprobCount: Bool.random(using: &random) ? nil : 3,
            promptLogprobCount: Bool.random(using: &random) ? nil : Int.random(in: 0...4, using: &random),
            client: ["", "a", "b"].randomElement(using: &random)!, priority: Int.random(in: -1...1, using: &random),
            cacheSalt: [nil, nil, "x", "y"].randomElement(using: &random)!)
    }

    /// Random tokens; often the beginning is one of few, which the prefix cache may know.
    private static func prompt(count: Int, _ random: inout SeededGenerator) -> [Int32] {
        var prompt = (0..<count).map { _ in Int32.random(in: 1..<Int32(ToyModel.vocabularySize), using: &random) }
        guard Bool.random(using: &random) else { return prompt }
        let kind = Int32.random(in: 0..<3, using: &random)
        let sharedCount = Bool.random(using: &random) ? count : Int.random(in: 0...count, using: &random)
        for position in 0..<sharedCount {
            prompt[position] = 1 + (Int32(position) &* 7 &+ kind &* 11) % Int32(ToyModel.vocabularySize - 1)
        }
        return prompt
    }

    @Test(arguments: 0..<200)
    func `a random life gives every request the tokens it gets alone`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let configuration = Self.configuration(
            chunk: [1, 7, 64, 300].randomElement(using: &random)!,
            paced: [nil, 1, 16, 100].randomElement(using: &random)!, running: Int.random(in: 1...12, using: &random),
            original: Bool.random(using: &random) ? nil : Int.random(in: 1...Self.contextLength, using: &random),
            forcesLong: Int.random(in: 0..<5, using: &random) == 0)
        var cluster = ToyCluster(
            configuration, pageCount: Int.random(in: 5...20, using: &random),
            stageCount: Int.random(in: 1...6, using: &random), seed: seed)
        var tickets: [RequestTicket] = []
        var untouched: Set<RequestTicket> = []
        for _ in 0..<Int.random(in: 50...1500, using: &random) {
            switch Int.random(in: 0..<40, using: &random) {
            case 0 where tickets.count < 24:
                let ticket = try cluster.submit(Self.request(&random, number: tickets.count))
                tickets.append(ticket)
                untouched.insert(ticket)
            case 1 where Int.random(in: 0..<3, using: &random) == 0:
                cluster.replan(
                    pageCount: Int.random(in: 5...20, using: &random), stageCount: Int.random(in: 1...6, using: &random)
                )
            case 2:
                guard let ticket = tickets.randomElement(using: &random) else { break }
                untouched.remove(ticket)
                cluster.cancel(
                    ticket, choice: Bool.random(using: &random) ? nil : Int.random(in: -1...3, using: &random))
            case 3..<20: cluster.send()
            default: _ = cluster.deliver(twice: Int.random(in: 0..<8, using: &random) == 0)
            }
        }
        cluster.finish()
        for ticket in tickets {
            cluster.check(ticket, seed: seed)
            if untouched.contains(ticket) {
                #expect(cluster.outcomes[ticket]?.finished.values.contains(.cancelled) == false, "seed \(seed)")
            }
        }
        #expect(cluster.pipeline.problems == [], "seed \(seed)")
        #expect(cluster.departedUseCount == 0, "seed \(seed)")
        #expect(cluster.pipeline.liveSequences == [], "seed \(seed)")
        #expect(cluster.scheduler.freePageCount == cluster.scheduler.pageCount, "seed \(seed)")
        #expect(cluster.scheduler.isIdle && cluster.scheduler.waiting.isEmpty, "seed \(seed)")
        #expect(cluster.mostStepsInFlight <= 7, "seed \(seed)")
        #expect(cluster.scheduler.completedRequestCount == tickets.count, "seed \(seed)")
    }
}
