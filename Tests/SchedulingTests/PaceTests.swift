import Inference
import TestSupport
import Testing

@testable import Scheduling

/// The gaps between the tokens of streams, in virtual time.
@Suite struct PaceTests {
    /// The costs of a stage as measured: a prompt row costs a fifteenth of what reading the weights does.
    private func cluster(stageCount: Int = 2, original: Int? = nil) -> TimedCluster {
        let configuration = SchedulerConfiguration(
            contextLength: 2048, vocabularySize: ToyModel.vocabularySize, endOfSequenceTokens: [],
            originalContextLength: original, maxRowCount: 256, waitingRequestLimit: 1000, runningSequenceLimit: 32)
        return TimedCluster(
            configuration, pageCount: 800, cost: PipelineCost(stageCount: stageCount, step: 30, row: 2, link: 0.2))
    }

    private func request(_ kind: Int, promptCount: Int, maxTokens: Int, of client: String = "") -> GenerationRequest {
        GenerationRequest(
            id: RequestID("r"), prompt: (0..<promptCount).map { 1 + Int32(($0 * 5 + kind) % 49) }, maxTokens: maxTokens,
            seed: 9, ignoreEndOfSequence: true, client: client)
    }

    /// The worst stream's p99 gap over the median gap of all.
    private func unevenness(_ timed: TimedCluster, _ tickets: [RequestTicket], after start: Double = 0) -> Double {
        let gaps = tickets.map { timed.gaps($0, after: start) }
        let worst = gaps.map { $0.quantile(0.99) }.max() ?? 0
        return worst / gaps.flatMap(\.self).sorted().quantile(0.5)
    }

    @Test func `equal streams have an even pace`() throws {
        for stageCount in [1, 2, 3] {
            var timed = cluster(stageCount: stageCount)
            for kind in 0..<16 { timed.submit(request(kind, promptCount: 64, maxTokens: 200)) }
            try timed.run()
            let tickets = Array(timed.cluster.outcomes.keys)
            #expect(tickets.count == 16)
            #expect(unevenness(timed, tickets) <= 5, "\(stageCount) stages")
            for ticket in tickets { timed.cluster.check(ticket, seed: 0) }
        }
    }

    @Test func `where prompt rows are dear, fewer of them go along`() throws {
        // 64 of them take 5 to 13 times as long as the weights of a step of decode tokens.
        for row in [2.5, 4, 6] {
            for stageCount in [1, 2, 3] {
                let configuration = SchedulerConfiguration(
                    contextLength: 2048, vocabularySize: ToyModel.vocabularySize, endOfSequenceTokens: [],
                    maxRowCount: 256, waitingRequestLimit: 1000, runningSequenceLimit: 32)
                var timed = TimedCluster(
                    configuration, pageCount: 800,
                    cost: PipelineCost(stageCount: stageCount, step: 30, row: row, link: 0.2, overlaps: true))
                for kind in 0..<16 { timed.submit(request(kind, promptCount: 64, maxTokens: 200)) }
                for kind in 0..<6 {
                    timed.submit(request(20 + kind, promptCount: 700, maxTokens: 4), at: 6000 + 4000 * Double(kind))
                }
                try timed.run()
                let streams = timed.tokenTimes.filter { $0.value.count == 200 }.map(\.key)
                #expect(streams.count == 16)
                // What decodes alone at the beginning is in front of the long steps of others.
                #expect(unevenness(timed, streams, after: 4000) <= 5, "\(stageCount) stages, \(row) ms a row")
            }
        }
    }

    @Test func `the pace is found whether decode steps were seen alone or not`() {
        func milliseconds(_ rowCount: Int) -> Double { max(30, 2.5 * Double(rowCount)) }
        for seesDecodeAlone in [true, false] {
            var meter = PaceMeter()
            var now = 0.0
            func step(prompt: Int, decode: Int) {
                let sent = now
                now += milliseconds(prompt + decode)
                meter.note(sent: sent, now: now, promptRowCount: prompt, decodeRowCount: decode)
            }
            #expect(meter.rowLimit(64) == 64)
            step(prompt: 256, decode: 0)
            if seesDecodeAlone { for _ in 0..<4 { step(prompt: 0, decode: 8) } }
            for _ in 0..<20 { step(prompt: meter.rowLimit(64), decode: 8) }
            let limit = meter.rowLimit(64)
            #expect(milliseconds(limit + 8) <= 5 * milliseconds(8), "\(limit) rows")
            #expect(limit >= 16)
        }
    }

    @Test func `cheap prompt rows are not held back, and a bound given is kept`() {
        var meter = PaceMeter()
        meter.note(sent: 0, now: 100, promptRowCount: 0, decodeRowCount: 4)
        meter.note(sent: 100, now: 220, promptRowCount: 64, decodeRowCount: 4)
        #expect(meter.rowLimit(64) == 64 && meter.rowLimit(8) == 8)
        meter.note(sent: 220, now: 9000, promptRowCount: 64, decodeRowCount: 4)
        #expect(meter.rowLimit(64) == 16 && meter.rowLimit(8) == 8)
    }

    @Test func `prompts that keep coming leave the pace of streams alone`() throws {
        for stageCount in [1, 2, 3] {
            var timed = cluster(stageCount: stageCount)
            for kind in 0..<16 { timed.submit(request(kind, promptCount: 64, maxTokens: 200)) }
            try timed.run(until: 1)
            let streams = Array(timed.cluster.outcomes.keys)
            for kind in 0..<12 {
                timed.submit(request(20 + kind, promptCount: 700, maxTokens: 4), at: 2000 + 1500 * Double(kind))
            }
            try timed.run()
            #expect(streams.count == 16 && timed.cluster.outcomes.count == 28)
            #expect(unevenness(timed, streams) <= 5, "\(stageCount) stages")
            for ticket in timed.cluster.outcomes.keys { timed.cluster.check(ticket, seed: 0) }
        }
    }

    @Test func `streams that cross into the long factors leave the pace of others alone`() throws {
        var timed = cluster(original: 600)
        for kind in 0..<12 { timed.submit(request(kind, promptCount: 64, maxTokens: 220)) }
        try timed.run(until: 1)
        let others = Array(timed.cluster.outcomes.keys)
        for kind in 12..<16 { timed.submit(request(kind, promptCount: 590, maxTokens: 120), at: 2) }
        try timed.run()
        let crossing = timed.cluster.outcomes.keys.filter { !others.contains($0) }
        #expect(others.count == 12 && crossing.count == 4)
        #expect(unevenness(timed, others) <= 5)
        // A crossing is a pause for the stream itself, of at least the 601 rows that are computed again.
        for ticket in crossing {
            let longest = timed.gaps(ticket).last ?? 0
            #expect(longest > 600 * 2, "\(ticket) crossed")
        }
        for ticket in timed.cluster.outcomes.keys { timed.cluster.check(ticket, seed: 0) }
    }
}
