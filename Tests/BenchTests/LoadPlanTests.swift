import Testing

@testable import Bench

/// The requests of a load.
struct LoadPlanTests {
    private func tokens(_ plan: LoadPlan, _ number: Int) throws -> [Int32] {
        guard case .tokens(let tokens) = plan.prompt(ofRequest: number) else {
            throw BenchError("the prompt is no array of token ids")
        }
        return tokens
    }

    @Test func `prompts have the length asked for, differ, and repeat with their seed`() throws {
        var plan = LoadPlan()
        plan.promptTokenCount = 40
        let prompts = try (0..<50).map { try tokens(plan, $0) }
        #expect(prompts.allSatisfy { $0.count == 40 && $0.allSatisfy(LoadPlan.tokenIDs.contains) })
        #expect(Set(prompts).count == 50 && Set(prompts.map { $0[0] }).count > 25)
        #expect(try tokens(plan, 7) == prompts[7])
        plan.seed = 1
        #expect(try tokens(plan, 7) != prompts[7])
    }

    @Test func `prompts share exactly the prefix`() throws {
        var plan = LoadPlan()
        plan.promptTokenCount = 64
        plan.sharedPrefixTokenCount = 32
        let first = try tokens(plan, 0)
        let second = try tokens(plan, 1)
        #expect(first.prefix(32) == second.prefix(32))
        #expect(zip(first.dropFirst(32), second.dropFirst(32)).count { $0 == $1 } < 8)
    }

    @Test func `text has a word for each token`() {
        var plan = LoadPlan()
        plan.promptTokenCount = 12
        plan.sendsText = true
        guard case .text(let text) = plan.prompt(ofRequest: 3) else {
            Issue.record("the prompt is no text")
            return
        }
        #expect(text.split(separator: " ").count == 12, "\(text)")
    }

    @Test func `requests arrive at the rate asked for, at uneven distances`() throws {
        var plan = LoadPlan()
        plan.requestCount = 4000
        #expect(plan.arrivals() == Array(repeating: 0, count: 4000))
        plan.requestsPerSecond = 8
        let arrivals = plan.arrivals()
        #expect(arrivals.first == 0 && arrivals == arrivals.sorted())
        // Of an exponential distribution the mean is 1/8, and as much is its standard deviation.
        let gaps = zip(arrivals.dropFirst(), arrivals).map { $0 - $1 }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let deviation = (gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)).squareRoot()
        #expect(abs(mean - 0.125) < 0.01 && abs(deviation - 0.125) < 0.015, "\(mean) \(deviation)")
    }

    @Test func `impossible numbers are refused with the flag's name`() throws {
        let wrong: [(String, (inout LoadPlan) -> Void)] = [
            ("--concurrency 0", { $0.concurrency = 0 }), ("--requests 0", { $0.requestCount = 0 }),
            ("--warmup -1", { $0.warmupCount = -1 }), ("--prompt-tokens 0", { $0.promptTokenCount = 0 }),
            ("--max-tokens 0", { $0.outputTokenCount = 0 }),
            ("--shared-prefix 257", { $0.sharedPrefixTokenCount = 257 }),
            ("--rate 0.0", { $0.requestsPerSecond = 0 }), ("--rate nan", { $0.requestsPerSecond = .nan }),
            ("tokens to remember", { ($0.requestCount, $0.outputTokenCount) = (1_000_000, 1_000_000) }),
        ]
        for (words, change) in wrong {
            var plan = LoadPlan()
            change(&plan)
            let error = #expect(throws: BenchError.self) { try plan.check() }
            #expect(error?.message.contains(words) == true, "\(words): \(error?.message ?? "no error")")
        }
        try LoadPlan().check()
    }
}
