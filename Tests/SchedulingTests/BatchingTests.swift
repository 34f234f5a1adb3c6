import Inference
import TestSupport
import Testing

@testable import Scheduling

/// Many sequences at once: pages, prefixes and fairness, step by step.
@Suite struct BatchingTests {
    private func cluster(
        chunk: Int = 64, paced: Int? = nil, running: Int = 8, original: Int? = nil, stageCount: Int = 1,
        pageCount: Int = 40
    ) -> ToyCluster {
        ToyCluster(
            SchedulerPropertyTests.configuration(chunk: chunk, paced: paced, running: running, original: original),
            pageCount: pageCount, stageCount: stageCount, seed: 1)
    }

    private func request(
        _ kind: Int32 = 0, promptCount: Int, maxTokens: Int? = 5, choices: Int = 1, scores: Int? = nil
    ) -> GenerationRequest {
        GenerationRequest(
            id: RequestID("r"), prompt: (0..<promptCount).map { 1 + (Int32($0) + kind) % 49 }, choiceCount: choices,
            maxTokens: maxTokens, seed: 9, ignoreEndOfSequence: true, promptLogprobCount: scores)
    }

    private func cached(_ cluster: ToyCluster, _ ticket: RequestTicket) -> Int? {
        cluster.outcomes[ticket]?.usage?.cachedTokenCount
    }

    @Test func `decode tokens and a prompt's chunks share steps`() throws {
        var cluster = cluster(paced: 10)
        let first = try cluster.submit(request(promptCount: 20, maxTokens: 40))
        cluster.send()
        _ = cluster.deliver()
        let second = try cluster.submit(request(7, promptCount: 25, maxTokens: 10))
        var shapes: [[Int]] = []
        for _ in 0..<4 {
            let step = try cluster.nextStep(now: 0)
            shapes.append(step.slices.map(\.rowCount))
            cluster.expectNoStep()
            cluster.run(step, now: 0)
        }
        #expect(shapes == [[1, 10], [1, 10], [1, 5], [1, 1]])
        cluster.finish()
        for ticket in [first, second] { cluster.check(ticket, seed: 0) }
    }

    @Test func `prompts take turns`() throws {
        var cluster = cluster(chunk: 64, stageCount: 4)
        _ = try cluster.submit(request(promptCount: 250))
        _ = try cluster.submit(request(7, promptCount: 250))
        let steps = (0..<4).compactMap { _ in cluster.scheduler.nextStep(now: 0) }
        #expect(steps.map { $0.slices.map(\.sequence.rawValue) } == [[0], [1], [0], [1]])
    }

    @Test func `a pipeline of several stages has a step for each`() throws {
        var cluster = cluster(running: 8, stageCount: 3)
        let tickets = try (0..<8).map { try cluster.submit(request(Int32($0), promptCount: 3, maxTokens: 60)) }
        // A while later all decode.
        for _ in 0..<60 {
            cluster.send()
            _ = cluster.deliver()
        }
        cluster.send()
        #expect(cluster.scheduler.stepInFlightCount == 3)
        let sizes = cluster.scheduler.stepsInFlight.map(\.slices.count).sorted()
        #expect(sizes == [2, 3, 3])
        cluster.finish()
        for ticket in tickets { cluster.check(ticket, seed: 0) }
    }

    @Test func `a repeated prompt costs its last page alone`() throws {
        var cluster = cluster()
        let first = try cluster.submit(request(promptCount: 200))
        cluster.finish()
        #expect(cached(cluster, first) == 0)
        let before = cluster.pipeline.computedRowCount
        let second = try cluster.submit(request(promptCount: 200))
        cluster.finish()
        #expect(cached(cluster, second) == 192)
        #expect(cluster.pipeline.computedRowCount - before == 8 + 4)
        for ticket in [first, second] { cluster.check(ticket, seed: 0) }
    }

    @Test func `the last token of a prompt of whole pages is computed`() throws {
        var cluster = cluster()
        for (promptCount, expected) in [(128, 0), (128, 64), (129, 128), (64, 0), (65, 64)] {
            let ticket = try cluster.submit(request(promptCount: promptCount))
            cluster.finish()
            #expect(cached(cluster, ticket) == expected)
            cluster.check(ticket, seed: 0)
        }
    }

    @Test func `the next turn of a talk finds the answer, too`() throws {
        var cluster = cluster()
        let first = try cluster.submit(request(promptCount: 50, maxTokens: 90))
        cluster.finish()
        let answer = cluster.outcomes[first]?.tokens[0]?.map(\.token) ?? []
        var next = request(promptCount: 50)
        next.prompt += answer + [3, 4, 5]
        let second = try cluster.submit(next)
        cluster.finish()
        #expect(cached(cluster, second) == 128)
        cluster.check(second, seed: 0)
    }

    @Test func `scores are computed in full, and what they leave is found`() throws {
        var cluster = cluster()
        for (scores, expected) in [(nil, 0), (2, 0), (nil, 128)] as [(Int?, Int)] {
            let ticket = try cluster.submit(request(promptCount: 150, scores: scores))
            cluster.finish()
            #expect(cached(cluster, ticket) == expected)
            cluster.check(ticket, seed: 0)
        }
    }

    @Test func `choices compute their prompt once`() throws {
        var cluster = cluster()
        let ticket = try cluster.submit(request(promptCount: 200, maxTokens: 10, choices: 4))
        cluster.finish()
        // 192 positions are shared; the 8 after them and 9 tokens of the answer are each choice's own.
        #expect(cluster.pipeline.computedRowCount == 192 + 4 * (8 + 9))
        #expect(cached(cluster, ticket) == 0)
        cluster.check(ticket, seed: 0)
    }

    @Test func `equal prompts that come together are computed once`() throws {
        var cluster = cluster(stageCount: 3)
        let tickets = try (0..<5).map { _ in try cluster.submit(request(promptCount: 130, maxTokens: 3)) }
        cluster.finish()
        #expect(cluster.pipeline.computedRowCount == 128 + 5 * (2 + 2))
        for ticket in tickets { cluster.check(ticket, seed: 0) }
    }

    @Test func `a new plan knows no prefix`() throws {
        var cluster = cluster()
        _ = try cluster.submit(request(promptCount: 200))
        cluster.finish()
        cluster.replan(pageCount: 40, stageCount: 2)
        let ticket = try cluster.submit(request(promptCount: 200))
        cluster.finish()
        #expect(cached(cluster, ticket) == 0)
        cluster.check(ticket, seed: 0)
    }

    @Test func `the crossing leaves shared pages alone, and is shared itself`() throws {
        var cluster = cluster(paced: 16, original: 150)
        let crossing = try cluster.submit(request(promptCount: 140, maxTokens: 30))
        let other = try cluster.submit(request(promptCount: 140, maxTokens: 8))
        cluster.finish()
        #expect(cached(cluster, other) == 128)
        let again = try cluster.submit(request(promptCount: 140, maxTokens: 30))
        let before = cluster.pipeline.computedRowCount
        cluster.finish()
        // 12 rows after the short prefix, 10 tokens; at the crossing the 151 there are but for two long pages.
        #expect(cluster.pipeline.computedRowCount - before == 12 + 10 + (151 - 128) + 18)
        for ticket in [crossing, other, again] { cluster.check(ticket, seed: 0) }
    }

    @Test func `other streams keep their pace through a crossing`() throws {
        var cluster = cluster(paced: 16, original: 150)
        let other = try cluster.submit(request(7, promptCount: 10, maxTokens: 60))
        let crossing = try cluster.submit(request(promptCount: 140, maxTokens: 40))
        var crossingSteps = 0
        while let step = cluster.scheduler.nextStep(now: 0) {
            let chunk = step.slices.first { $0.regime == .long && $0.rowCount > 1 }
            if let chunk {
                crossingSteps += 1
                #expect(chunk.rowCount <= 16)
                #expect(step.slices.contains { $0.sequence == SequenceID(0) && $0.outputs == .sample })
            }
            cluster.run(step, now: 0)
        }
        cluster.collect()
        #expect(crossingSteps == 10, "151 rows in chunks of 16")
        for ticket in [other, crossing] { cluster.check(ticket, seed: 0) }
    }

    @Test func `when pages run out the youngest is put back and goes on exactly`() throws {
        var cluster = cluster(running: 4, pageCount: 5)
        let tickets = try (0..<4).map { try cluster.submit(request(Int32($0), promptCount: 40, maxTokens: 200)) }
        cluster.finish()
        #expect(cluster.scheduler.preemptionCount > 0)
        for ticket in tickets { cluster.check(ticket, seed: 0) }
        #expect(cluster.pipeline.problems == [])
        #expect(cluster.scheduler.freePageCount == 5)
        let ends = tickets.map { cluster.outcomes[$0]?.usage }
        #expect(ends.allSatisfy { $0?.completionTokenCount == 200 })
    }

    @Test func `pages of a client that went away are in no step from the next one on, and free after it`() throws {
        var cluster = cluster(running: 4, pageCount: 8)
        let doomed = try cluster.submit(request(promptCount: 200, maxTokens: 90))
        let other = try cluster.submit(request(7, promptCount: 20, maxTokens: 90))
        for _ in 0..<8 {
            cluster.send()
            _ = cluster.deliver()
        }
        let held = cluster.scheduler.freePageCount
        cluster.cancel(doomed)
        // It wants more pages than are left without those.
        let next = try cluster.submit(request(9, promptCount: 240, maxTokens: 5))
        while cluster.deliver() {}
        cluster.send()
        #expect(cluster.departedPageCount == 4 && cluster.departedUseCount == 0)
        #expect(cluster.scheduler.freePageCount == held + 4)
        cluster.finish()
        #expect(cluster.departedUseCount == 0)
        #expect(cluster.pipeline.problems == [])
        for ticket in [other, next] { cluster.check(ticket, seed: 0) }
    }

    @Test func `a choice that is given up leaves the others the pages that they share`() throws {
        var cluster = cluster(running: 4, pageCount: 12)
        let ticket = try cluster.submit(request(promptCount: 150, maxTokens: 90, choices: 3))
        while cluster.outcomes[ticket]?.tokens[1]?.count ?? 0 < 10 {
            cluster.send()
            _ = cluster.deliver()
        }
        let held = cluster.scheduler.freePageCount
        cluster.cancel(ticket, choice: 1)
        #expect(cluster.departedPageCount == 1, "two of its three are shared")
        while cluster.deliver() {}
        cluster.send()
        #expect(cluster.departedUseCount == 0)
        #expect(cluster.scheduler.freePageCount == held + 1)
        cluster.finish()
        #expect(cluster.outcomes[ticket]?.finished == [0: .length, 1: .cancelled, 2: .length])
        #expect(cluster.departedUseCount == 0)
        cluster.check(ticket, seed: 0)
    }
}
