import Foundation
import Testing

@testable import Bench

/// What is made of the instants that a load generator saw.
struct LoadResultTests {
    private func stream(sent: Double, first: Double, gaps: [Double], prompt: Int = 10) -> StreamRecord {
        var pieces = [first]
        for gap in gaps { pieces.append(pieces[pieces.count - 1] + gap) }
        return StreamRecord(
            sent: sent, pieces: pieces, promptTokenCount: prompt, cachedTokenCount: 4, outputTokenCount: pieces.count)
    }

    private func isNear(_ value: Double?, _ expected: Double) -> Bool {
        guard let value else { return false }
        return abs(value - expected) <= expected * 0.002
    }

    @Test func `rates count what was answered, over the whole time`() {
        var plan = LoadPlan()
        plan.outputTokenCount = 5
        let result = LoadResult(
            plan: plan, model: "m", seconds: 4,
            streams: [
                stream(sent: 0, first: 1, gaps: [1, 1, 1, 1]), stream(sent: 0.5, first: 2.5, gaps: [0.5, 0.5, 0.5]),
            ],
            failures: ["full": 2, "gone": 1])
        #expect(result.promptTokenCount == 20 && result.outputTokenCount == 9 && result.cachedTokenCount == 8)
        #expect(result.tokensPerSecond == 7.25 && result.outputTokensPerSecond == 2.25)
        #expect(result.requestsPerSecond == 0.5)
        #expect(result.failureCount == 3)
        #expect(result.shortAnswerCount == 1, "the second answer has four tokens of five")
        #expect(isNear(result.timeToFirstToken?.median, 1) && isNear(result.timeToFirstToken?.max, 2))
        #expect(isNear(result.timePerOutputToken?.mean, 0.75))
    }

    @Test func `tokens that come together are counted one by one in the time per token`() {
        let record = StreamRecord(
            sent: 0, pieces: [1, 3, 5], promptTokenCount: 1, cachedTokenCount: 0, outputTokenCount: 9)
        #expect(record.timePerOutputToken == 0.5)
        #expect(record.gaps == [2, 2])
    }

    @Test func `the worst stream is the one with the longest 99th percentile, not with the longest gap`() throws {
        // 200 gaps: the two longest lie beyond the 99th percentile.
        let spiky = stream(sent: 0, first: 1, gaps: Array(repeating: 0.1, count: 198) + [9, 9])
        let slow = stream(
            sent: 0, first: 1, gaps: Array(repeating: 0.2, count: 100) + Array(repeating: 0.8, count: 100))
        let result = LoadResult(plan: LoadPlan(), model: "m", seconds: 99, streams: [spiky, slow], failures: [:])
        let worst = try #require(result.worstStream)
        #expect(isNear(worst.p99, 0.8))
        #expect(isNear(worst.toOwnMedian, 4))
        #expect(isNear(worst.toMedian, 4), "198 of 400 gaps are 0.1, the next 100 are 0.2")
        #expect(isNear(result.gaps?.max, 9))
    }

    @Test func `nothing measured is null, and every key is there`() throws {
        let result = LoadResult(plan: LoadPlan(), model: "m", seconds: 1, streams: [], failures: ["no": 16])
        let object = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(result)) as? [String: Any])
        for key in ["time_to_first_token_ms", "time_per_output_token_ms", "gap_ms", "worst_stream", "request_rate"] {
            #expect(object[key] is NSNull, "\(key)")
        }
        #expect(object["failed"] as? Int == 16 && object["total_tokens_per_second"] as? Double == 0)
        let one = LoadResult(
            plan: LoadPlan(), model: "m", seconds: 1, streams: [stream(sent: 0, first: 0.25, gaps: [0.5])],
            failures: [:])
        let full = try #require(try JSONSerialization.jsonObject(with: JSONEncoder().encode(one)) as? [String: Any])
        let first = try #require(full["time_to_first_token_ms"] as? [String: Double])
        #expect(isNear(first["p99"], 250))
        let worst = try #require(full["worst_stream"] as? [String: Double])
        #expect(isNear(worst["p99_gap_ms"], 500) && isNear(worst["p99_to_median_of_all"], 1))
    }
}
