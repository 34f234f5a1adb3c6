import Inference
import TestSupport
import Testing

@testable import Scheduling

/// How many micro-batches the scheduler settles on, in virtual time.
@Suite struct MicroBatchTests {
    private func cluster(_ cost: PipelineCost) -> TimedCluster {
        let configuration = SchedulerConfiguration(
            contextLength: 1024, vocabularySize: ToyModel.vocabularySize, endOfSequenceTokens: [], maxRowCount: 256,
            waitingRequestLimit: 1000, runningSequenceLimit: 64)
        return TimedCluster(configuration, pageCount: 1200, cost: cost)
    }

    private func request(_ kind: Int, maxTokens: Int, promptCount: Int = 6) -> GenerationRequest {
        GenerationRequest(
            id: RequestID("r"), prompt: (0..<promptCount).map { 1 + Int32(($0 + kind) % 49) }, maxTokens: maxTokens,
            seed: 9, ignoreEndOfSequence: true)
    }

    /// The count that is settled on at the end, and when that is.
    private func run(_ cost: PipelineCost, streamCount: Int, maxTokens: Int = 500) throws -> (settled: Int, end: Double)
    {
        var timed = cluster(cost)
        for kind in 0..<streamCount { timed.submit(request(kind, maxTokens: maxTokens)) }
        try timed.run()
        for ticket in timed.cluster.outcomes.keys { timed.cluster.check(ticket, seed: 0) }
        return (timed.cluster.scheduler.tuner.settledCount, timed.cluster.now)
    }

    @Test func `stages of their own keep a step each`() throws {
        for stageCount in [2, 4] {
            let cost = PipelineCost(stageCount: stageCount, step: 10, row: 1)
            let (settled, end) = try run(cost, streamCount: 16)
            #expect((stageCount...stageCount + 1).contains(settled), "\(stageCount) stages: \(settled)")
            // 500 rounds, in each of which every stage has a step for its share of the sequences.
            let ideal = 500 * (10 * Double(stageCount) + 16)
            #expect(end < 1.06 * ideal, "\(end) ms, ideal are \(ideal)")
        }
    }

    @Test func `stages that share a memory bus end with one large step`() throws {
        for stageCount in [2, 4, 6] {
            let cost = PipelineCost(stageCount: stageCount, step: 10, row: 0.2, sharesBus: true)
            #expect(try run(cost, streamCount: 16).settled == 1, "\(stageCount) stages")
        }
    }

    @Test func `steps that are dear to dispatch become fewer`() throws {
        // A round takes 8 ms for each step, or the 15.2 of half of the rows on their way through all stages.
        let (settled, _) = try run(PipelineCost(stageCount: 4, step: 1, row: 0.1, dispatch: 8), streamCount: 16)
        #expect(settled == 2)
    }

    @Test func `slow links get a step more`() throws {
        let (settled, _) = try run(PipelineCost(stageCount: 2, step: 4, row: 1, link: 4), streamCount: 24)
        #expect(settled == 3)
    }

    @Test func `what streams come and go in between does not confuse it`() throws {
        for (sharesBus, expected) in [(true, 1...1), (false, 4...5)] {
            var random = SeededGenerator(seed: 21)
            var timed = cluster(PipelineCost(stageCount: 4, step: 10, row: 0.3, sharesBus: sharesBus))
            for kind in 0..<24 {
                let maxTokens = Int.random(in: 150...600, using: &random)
                let promptCount = Int.random(in: 2...200, using: &random)
                let time = kind < 12 ? 0 : Double.random(in: 0...12_000, using: &random)
                timed.submit(request(kind, maxTokens: maxTokens, promptCount: promptCount), at: time)
            }
            try timed.run()
            for ticket in timed.cluster.outcomes.keys { timed.cluster.check(ticket, seed: 21) }
            #expect(expected.contains(timed.cluster.scheduler.tuner.settledCount), "\(sharesBus)")
        }
    }

    @Test func `trials grow rare when there is nothing to gain`() {
        var tuner = GroupTuner(initialCount: 2, mostCount: 3)
        var trialRoundCount = 0
        for round in 0..<20_000 {
            // Two halves of 8 sequences; any other count is slower.
            let isTrial = tuner.groupCount != 2
            if isTrial { trialRoundCount += 1 }
            tuner.note(
                tokenCount: 8, hasPromptRows: false, decodingCount: 8, now: Double(round) * 10 + (isTrial ? 3 : 0))
        }
        #expect(tuner.settledCount == 2)
        #expect(trialRoundCount > 0 && trialRoundCount < 400)
    }
}
