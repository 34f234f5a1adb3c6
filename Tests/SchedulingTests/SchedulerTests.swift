import Inference
import Testing

@testable import Scheduling

/// Single promises of the scheduler, step by step.
@Suite struct SchedulerTests {
    private func cluster(
        chunk: Int = 64, running: Int = 1, original: Int? = nil, stageCount: Int = 2, pageCount: Int = 5
    ) -> ToyCluster {
        ToyCluster(
            SchedulerPropertyTests.configuration(chunk: chunk, running: running, original: original),
            pageCount: pageCount, stageCount: stageCount, seed: 1)
    }

    private func request(
        promptCount: Int, maxTokens: Int? = 5, choices: Int = 1, scores: Int? = nil, timeout: Int? = nil
    ) -> GenerationRequest {
        GenerationRequest(
            id: RequestID("r"), prompt: (0..<promptCount).map { Int32($0 % 40 + 1) }, choiceCount: choices,
            maxTokens: maxTokens, seed: 9, ignoreEndOfSequence: true, promptLogprobCount: scores,
            timeoutMilliseconds: timeout)
    }

    @Test func `prompt chunks fill the pipeline without waiting, decode waits for its token`() throws {
        var cluster = cluster(chunk: 10, stageCount: 3)
        _ = try cluster.submit(request(promptCount: 100))
        var steps: [Step] = []
        while let step = cluster.scheduler.nextStep(now: 0) { steps.append(step) }
        #expect(steps.count == 4, "stage count + 1 credits")
        #expect(steps.map { $0.slices[0].firstPosition } == [0, 10, 20, 30])
        #expect(steps.allSatisfy { $0.slices[0].outputs.isEmpty })
        #expect(steps[0].admissions.count == 1 && steps[1].admissions.isEmpty)
    }

    @Test func `a page is assigned once and only when a position needs it`() throws {
        var cluster = cluster(chunk: 40)
        _ = try cluster.submit(request(promptCount: 100, maxTokens: 100))
        let first = try cluster.nextStep(now: 0)
        let second = try cluster.nextStep(now: 0)
        let third = try cluster.nextStep(now: 0)
        #expect(first.slices[0].pages == [PageAssignment(firstLogicalPage: 0, pages: [PageID(0)])])
        #expect(second.slices[0].pages == [PageAssignment(firstLogicalPage: 1, pages: [PageID(1)])])
        #expect(third.slices[0].pages.isEmpty && third.slices[0].outputs == .sample)
        cluster.expectNoStep()
    }

    @Test func `the last chunk asks for the sample and the whole prompt for its scores`() throws {
        var cluster = cluster(chunk: 64)
        let ticket = try cluster.submit(request(promptCount: 65, scores: 2))
        let first = try cluster.nextStep(now: 0)
        let second = try cluster.nextStep(now: 0)
        #expect(first.slices[0].outputs == .promptLogprobs)
        #expect(second.slices[0].outputs == .sample, "the last row has no successor in the prompt")
        #expect(first.admissions[0].promptLogprobCount == 2)
        cluster.run(first, now: 1)
        cluster.run(second, now: 2)
        cluster.collect()
        #expect(cluster.outcomes[ticket]?.scores?.count == 64)
        cluster.finish()
        cluster.check(ticket, seed: 0)
    }

    @Test func `a request for scores alone computes its prompt and samples nothing`() throws {
        for promptCount in [1, 2, 64, 65, 200] {
            var cluster = cluster(chunk: 64)
            let ticket = try cluster.submit(request(promptCount: promptCount, maxTokens: 0, scores: 1))
            cluster.finish()
            cluster.check(ticket, seed: 0)
            #expect(cluster.outcomes[ticket]?.scores?.count == promptCount - 1)
            #expect(cluster.outcomes[ticket]?.finished == [0: .length])
            #expect(cluster.pipeline.computedRowCount == promptCount)
            #expect(cluster.scheduler.generatedTokenCount == 0)
        }
    }

    @Test func `crossing the original context computes everything again with the long factors`() throws {
        var cluster = cluster(chunk: 64, original: 100)
        let ticket = try cluster.submit(request(promptCount: 95, maxTokens: 20))
        cluster.finish()
        cluster.check(ticket, seed: 0)
        // 95 + 5 rows short, then the 101 that are there at the crossing, then one for each further token.
        #expect(cluster.pipeline.computedRowCount == 100 + 101 + 13)
    }

    @Test func `a prompt longer than the original context is long throughout`() throws {
        var cluster = cluster(chunk: 64, original: 100)
        _ = try cluster.submit(request(promptCount: 101))
        let step = try cluster.nextStep(now: 0)
        #expect(step.slices[0].regime == .long)
        var short = self.cluster(chunk: 64, original: 100)
        _ = try short.submit(request(promptCount: 100))
        let shortStep = try short.nextStep(now: 0)
        #expect(shortStep.slices[0].regime == .short)
    }

    @Test func `an idle scheduler retires what ended in a step without rows`() throws {
        var cluster = cluster()
        let ticket = try cluster.submit(request(promptCount: 70, maxTokens: 1))
        let steps = [cluster.scheduler.nextStep(now: 0), cluster.scheduler.nextStep(now: 0)].compactMap { $0 }
        for step in steps { cluster.run(step, now: 1) }
        #expect(cluster.scheduler.freePageCount == 3)
        let last = try cluster.nextStep(now: 2)
        #expect(last.slices.isEmpty && last.admissions.isEmpty && last.retired.count == 1)
        #expect(cluster.scheduler.freePageCount == 5)
        cluster.run(last, now: 3)
        cluster.collect()
        cluster.check(ticket, seed: 0)
        #expect(cluster.scheduler.isIdle)
    }

    @Test func `a cancelled request is absent from the next step`() throws {
        var cluster = cluster(chunk: 10, running: 2)
        let doomed = try cluster.submit(request(promptCount: 90, maxTokens: 10))
        let other = try cluster.submit(request(promptCount: 20, maxTokens: 3))
        let first = try cluster.nextStep(now: 0)
        cluster.scheduler.cancel(doomed, now: 1)
        let second = try cluster.nextStep(now: 1)
        #expect(second.retired == [first.slices[0].sequence])
        #expect(!second.slices.contains { $0.sequence == first.slices[0].sequence })
        for step in [first, second] { cluster.run(step, now: 2) }
        cluster.finish()
        #expect(cluster.outcomes[doomed]?.finished == [0: .cancelled])
        cluster.check(other, seed: 0)
    }

    @Test func `the queue is bounded`() throws {
        var configuration = SchedulerPropertyTests.configuration()
        configuration.waitingRequestLimit = 2
        var cluster = ToyCluster(configuration, pageCount: 5, stageCount: 1, seed: 1)
        for _ in 0..<3 { _ = try cluster.submit(request(promptCount: 4)) }
        let error = #expect(throws: EngineError.self) { try cluster.submit(request(promptCount: 4)) }
        #expect(error?.code == .overloaded)
        #expect((1...60).contains(error?.retryAfterSeconds ?? 0))
        cluster.finish()
        #expect(cluster.scheduler.completedRequestCount == 3)
    }

    @Test func `a request that is out of time fails and frees its pages`() throws {
        var cluster = cluster()
        let ticket = try cluster.submit(request(promptCount: 100, timeout: 50))
        cluster.send()
        cluster.scheduler.expire(now: 49)
        #expect(cluster.scheduler.nextDeadlineMilliseconds == 50)
        cluster.scheduler.expire(now: 50)
        cluster.finish()
        #expect(cluster.outcomes[ticket]?.error?.code == .deadlineExceeded)
        #expect(cluster.scheduler.freePageCount == 5)
        #expect(cluster.pipeline.liveSequences == [])
    }

    @Test func `a mask goes with every slice that is sampled under a grammar, and binds the answer`() throws {
        var cluster = cluster(chunk: 40, stageCount: 1)
        var asked: [(choice: Int, count: Int)] = []
        func nextStep() throws -> Step {
            let step = cluster.scheduler.nextStep(now: 0) { _, choice, generated in
                asked.append((choice, generated.count))
                return TokenMask(words: [1 << 7])
            }
            return try #require(step)
        }
        var constrained = request(promptCount: 50, maxTokens: 3)
        constrained.ignoreEndOfSequence = false
        constrained.grammar = GrammarConstraint(gbnf: "root ::= .", beginsText: true)
        _ = try cluster.submit(constrained)
        let first = try nextStep()
        #expect(first.slices[0].mask == nil && asked.isEmpty)
        cluster.run(first, now: 0)
        let second = try nextStep()
        #expect(second.slices[0].mask == TokenMask(words: [1 << 7]))
        #expect(asked.map(\.choice) == [0] && asked.map(\.count) == [0])
        func answer(_ token: Int32) -> StepResult {
            StepResult(
                epoch: second.epoch, number: second.number,
                slices: [
                    SliceResult(
                        sequence: second.slices[0].sequence, sampled: ScoredToken(token: token, logprob: -1, top: []),
                        firstPromptPosition: 0, promptTokens: [])
                ])
        }
        guard case .fault(let problem) = cluster.scheduler.apply(answer(6), now: 1) else {
            Issue.record("a token beside the mask was taken")
            return
        }
        #expect(problem.contains("grammar"))
        #expect(cluster.scheduler.apply(answer(7), now: 1) == .applied)
        #expect(try nextStep().slices[0].mask != nil && asked.map(\.count) == [0, 1])
    }

    @Test func `results that were not asked for are faults, old ones are ignored`() throws {
        var cluster = cluster(chunk: 10, stageCount: 2)
        _ = try cluster.submit(request(promptCount: 25))
        let steps = (0..<3).compactMap { _ in cluster.scheduler.nextStep(now: 0) }
        let results = steps.map { cluster.pipeline.run($0) }
        guard case .fault = cluster.scheduler.apply(results[1], now: 1) else {
            Issue.record("a result out of order was taken")
            return
        }
        cluster.expect(results[0], .applied)
        cluster.expect(results[0], .stale)
        cluster.expect(results[1], .applied)
        let epoch = results[2].epoch
        let answer = results[2].slices[0]
        func isFault(_ slices: [SliceResult]) -> Bool {
            if case .fault = cluster.scheduler.apply(StepResult(epoch: epoch, number: 2, slices: slices), now: 1) {
                return true
            }
            return false
        }
        #expect(isFault([]))
        #expect(isFault([answer, answer]))
        let unasked = SliceResult(sequence: answer.sequence, sampled: nil, firstPromptPosition: 0, promptTokens: [])
        #expect(isFault([unasked]))
        let outside = ScoredToken(token: 50, logprob: 0, top: [])
        let wrong = SliceResult(sequence: answer.sequence, sampled: outside, firstPromptPosition: 0, promptTokens: [])
        #expect(isFault([wrong]))
        let stranger = SliceResult(
            sequence: SequenceID(99), sampled: answer.sampled, firstPromptPosition: 0, promptTokens: [])
        #expect(isFault([stranger]))
        cluster.expect(results[2], .applied)
        let older = StepResult(epoch: Epoch(term: 0, plan: 9), number: 3, slices: [])
        cluster.expect(older, .stale)
    }

    @Test func `a request that a smaller plan cannot hold is refused with the numbers`() throws {
        var cluster = cluster()
        let ticket = try cluster.submit(request(promptCount: 200, maxTokens: 20))
        cluster.send()
        cluster.replan(pageCount: 3, stageCount: 1)
        cluster.finish()
        #expect(cluster.outcomes[ticket]?.error?.code == .contextOverflow)
        #expect(cluster.outcomes[ticket]?.error?.message.contains("4 KV pages") == true)
        #expect(cluster.scheduler.isIdle)
    }

    @Test func `a suspended scheduler takes requests and sends nothing`() throws {
        var cluster = cluster()
        let ticket = try cluster.submit(request(promptCount: 10))
        cluster.send()
        cluster.scheduler.suspend()
        cluster.expectNoStep()
        let late = try cluster.submit(request(promptCount: 12))
        cluster.replan(pageCount: 5, stageCount: 1)
        cluster.finish()
        cluster.check(ticket, seed: 0)
        cluster.check(late, seed: 0)
    }
}
