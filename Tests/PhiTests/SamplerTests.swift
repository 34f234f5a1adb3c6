import Foundation
import Inference
import Kernels
import Testing

@testable import Phi

struct SamplerTests {
    /// The published answers of Philox 4x32-10 (Random123's `kat_vectors`).
    @Test func `the random numbers are Philox's`() {
        #expect(
            CounterRandom.philox(counter: SIMD4(0, 0, 0, 0), key: SIMD2(0, 0))
                == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        let ones = UInt32.max
        #expect(
            CounterRandom.philox(counter: SIMD4(ones, ones, ones, ones), key: SIMD2(ones, ones))
                == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        #expect(
            CounterRandom.philox(
                counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
                key: SIMD2(0xa409_3822, 0x299f_31d0))
                == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }

    @Test func `seed, choice and position all change the number`() {
        let base = CounterRandom(seed: 1, choice: 0).uniform(position: 5)
        #expect(base >= 0 && base < 1)
        #expect(base == CounterRandom(seed: 1, choice: 0).uniform(position: 5))
        #expect(base != CounterRandom(seed: 2, choice: 0).uniform(position: 5))
        #expect(base != CounterRandom(seed: 1, choice: 1).uniform(position: 5))
        #expect(base != CounterRandom(seed: 1, choice: 0).uniform(position: 6))
    }

    @Test func `greedy takes the lowest id among equals and never padding`() throws {
        var logits = [Float](repeating: -1, count: 40)
        logits[7] = 3
        logits[9] = 3
        logits[39] = 50
        #expect(try draw(logits, limit: 39, SamplingParameters(temperature: 0)) == 7)
        #expect(try draw(logits, limit: 40, SamplingParameters(temperature: 0)) == 39)
    }

    @Test func `padding is never drawn`() throws {
        var logits = [Float](repeating: 0, count: 40)
        logits[38] = 60
        logits[39] = 60
        for position in 0..<200 {
            let plain = try draw(logits, limit: 38, SamplingParameters(temperature: 2), position: position)
            let filtered = try draw(logits, limit: 38, SamplingParameters(topK: 5, topP: 0.9), position: position)
            #expect(plain < 38 && filtered < 38)
        }
    }

    @Test func `bias and penalties change the logits in vLLM's order`() throws {
        let logits: [Float] = [4, 3, 2, -1, 1]
        let greedy = { (change: (inout SamplingParameters) -> Void, prompt: [Int32], generated: [Int32]) -> Int32 in
            var parameters = SamplingParameters(temperature: 0)
            change(&parameters)
            return try draw(logits, limit: 5, parameters, prompt: prompt, generated: generated)
        }
        #expect(try greedy({ $0.logitBias = [LogitBias(token: 0, bias: -100)] }, [], []) == 1)
        #expect(try greedy({ $0.logitBias = [LogitBias(token: 3, bias: 100)] }, [], []) == 3)
        // Only generated tokens count for presence and frequency; prompt tokens too for repetition.
        #expect(try greedy({ $0.presencePenalty = 1.5 }, [0], []) == 0)
        #expect(try greedy({ $0.presencePenalty = 1.5 }, [], [0]) == 1)
        #expect(try greedy({ $0.frequencyPenalty = 0.6 }, [], [0]) == 0)
        #expect(try greedy({ $0.frequencyPenalty = 0.6 }, [], [0, 0]) == 1)
        #expect(try greedy({ $0.repetitionPenalty = 2 }, [0], []) == 1)
        #expect(try greedy({ $0.repetitionPenalty = 2 }, [0], [1]) == 0)
        // Bias first: (4 - 2) / 2 = 1 against 3.
        #expect(
            try greedy(
                {
                    $0.repetitionPenalty = 2
                    $0.logitBias = [LogitBias(token: 0, bias: -2)]
                }, [0, 1], []) == 2)
        // Ids that do not exist are passed over.
        #expect(
            try greedy(
                {
                    $0.repetitionPenalty = 2
                    $0.presencePenalty = 1
                    $0.logitBias = [LogitBias(token: 77, bias: 5), LogitBias(token: -1, bias: 5)]
                }, [99, -5], [1234]) == 0)
    }

    @Test func `sampled tokens are counted for the penalties`() throws {
        let rows = try row([2, 1.5, 1.2])
        var workspace = SamplerWorkspace(vocabularyLimit: 3)
        var sampler = Sampler(
            admission(SamplingParameters(temperature: 0, presencePenalty: 1)), vocabularyLimit: 3)
        let drawn = (0..<4).map { sampler.sample(rows, position: $0, workspace: &workspace) }
        #expect(drawn == [0, 1, 2, 0])
    }

    /// The filters against a plain implementation that sorts everything.
    @Test func `draws equal those of a plain implementation`() throws {
        let seed = UInt64(
            ProcessInfo.processInfo.environment["PHALANX_TEST_SEED"].flatMap(UInt64.init)
                ?? UInt64(Date().timeIntervalSince1970 * 1000))
        var random = SplitMix(seed: seed)
        for round in 0..<300 {
            let count = Int.random(in: 1...400, using: &random)
            // Wide spreads make few tokens matter, narrow ones all; rounding makes ties.
            let spreads: [Float] = [0.01, 1, 5, 12]
            let spread = spreads[Int(random.next() % 4)]
            let logits = (0..<count).map { _ in
                (Float.random(in: -spread...spread, using: &random) * 8).rounded() / 8
            }
            var parameters = SamplingParameters()
            parameters.temperature = [0.3, 1, 1.7].randomElement(using: &random) ?? 1
            parameters.topK = [0, 0, 1, 5, 50, 1000].randomElement(using: &random) ?? 0
            parameters.topP = [1, 1, 0.95, 0.5, 0.01, 0.9999].randomElement(using: &random) ?? 1
            parameters.minP = [0, 0, 0.05, 0.5, 1].randomElement(using: &random) ?? 0
            for position in 0..<4 {
                let drawn = try draw(logits, limit: count, parameters, position: position, seed: seed)
                let plain = PlainSampler.draw(logits, parameters, position: position, seed: seed)
                #expect(drawn == plain, "seed \(seed), round \(round), \(parameters)")
            }
        }
    }

    @Test func `draws follow the probabilities`() throws {
        let logits: [Float] = [1, 0, -1, 2, 0.5]
        let sum = logits.reduce(0) { $0 + Foundation.exp(Double($1)) }
        let rows = try row(logits)
        var workspace = SamplerWorkspace(vocabularyLimit: 5)
        var sampler = Sampler(admission(SamplingParameters(), seed: 5), vocabularyLimit: 5)
        let count = 40_000
        var counts = [Int](repeating: 0, count: 5)
        for position in 0..<count {
            counts[Int(sampler.sample(rows, position: position, workspace: &workspace))] += 1
        }
        for (id, logit) in logits.enumerated() {
            let probability = Foundation.exp(Double(logit)) / sum
            let deviation = (Double(count) * probability * (1 - probability)).squareRoot()
            // Fixed seed: this passes or fails for good.
            #expect(abs(Double(counts[id]) - Double(count) * probability) < 4.5 * deviation, "token \(id)")
        }
    }

    @Test func `scores are the logarithms of the softmax over all rows`() throws {
        var logits: [Float] = [0.5, 2, 2, -3, 1, 9]
        let scorer = TokenScorer(vocabularyLimit: 5)
        let scored = scorer.score(3, logits: try row(logits), topCount: 3)
        let logSum = Foundation.log(logits.reduce(0) { $0 + Foundation.exp(Double($1)) })
        #expect(abs(Double(scored.logprob) - (-3 - logSum)) < 1e-5)
        #expect(scored.top.map(\.token) == [1, 2, 4])
        for entry in scored.top {
            #expect(abs(Double(entry.logprob) - (Double(logits[Int(entry.token)]) - logSum)) < 1e-6)
        }
        #expect(scorer.score(0, logits: try row(logits), topCount: 99).top.count == 5)
        logits[2] = .nan
        #expect(!scorer.score(0, logits: try row(logits), topCount: 2).logprob.isNaN)
    }

    // MARK: - Setting up

    private func row(_ logits: [Float]) throws -> LayerRows {
        let rows = try LayerRows.allocated(rowCount: 1, columnCount: logits.count)
        for (column, logit) in logits.enumerated() { rows[0, column] = logit }
        return rows
    }

    private func admission(
        _ parameters: SamplingParameters, prompt: [Int32] = [], generated: [Int32] = [], seed: UInt64 = 0
    ) -> SequenceAdmission {
        SequenceAdmission(
            sequence: SequenceID(1), prompt: prompt, generated: generated, sampling: parameters, seed: seed, choice: 0,
            logprobCount: nil, promptLogprobCount: nil)
    }

    @Test func `a mask comes before everything else and leaves the distribution among its tokens`() throws {
        let logits: [Float] = (0..<200).map { Float($0 % 7) }
        let mask = TokenMask(words: [1 << 5, 0, 1 << 2 | 1 << 40])
        #expect(mask.first == 5 && mask.allows(130) && mask.allows(168) && !mask.allows(6) && !mask.allows(192))
        let settings = [
            SamplingParameters(temperature: 0), SamplingParameters(temperature: 3),
            SamplingParameters(temperature: 1, topK: 5), SamplingParameters(temperature: 1, topP: 0.5, minP: 0.1),
            SamplingParameters(
                temperature: 2, presencePenalty: 2, frequencyPenalty: 2, repetitionPenalty: 3,
                logitBias: [LogitBias(token: 6, bias: 100), LogitBias(token: 130, bias: -100)]),
        ]
        for parameters in settings {
            var seen: Set<Int32> = []
            for position in 0..<100 {
                seen.insert(try draw(logits, limit: 200, parameters, position: position, mask: mask))
            }
            #expect(seen.isSubset(of: [5, 130, 168]))
            #expect(seen.count == 1 || parameters.temperature > 0)
        }
        // As if the others were not there.
        var alone = [Float](repeating: -.infinity, count: 200)
        for id in [5, 130, 168] { alone[id] = logits[id] }
        for position in 0..<100 {
            let parameters = SamplingParameters(temperature: 1.5)
            #expect(
                try draw(logits, limit: 200, parameters, position: position, mask: mask)
                    == draw(alone, limit: 200, parameters, position: position))
        }
        // Logits that are no numbers decide nothing.
        let broken = [Float](repeating: .nan, count: 200)
        #expect(mask.allows(try draw(broken, limit: 200, SamplingParameters(temperature: 0), mask: mask)))
        #expect(mask.allows(try draw(broken, limit: 200, SamplingParameters(temperature: 1), mask: mask)))
    }

    private func draw(
        _ logits: [Float], limit: Int, _ parameters: SamplingParameters, prompt: [Int32] = [], generated: [Int32] = [],
        position: Int = 0, seed: UInt64 = 0, mask: TokenMask? = nil
    ) throws -> Int32 {
        var workspace = SamplerWorkspace(vocabularyLimit: limit)
        var sampler = Sampler(
            admission(parameters, prompt: prompt, generated: generated, seed: seed), vocabularyLimit: limit)
        return sampler.sample(try row(logits), position: position, mask: mask, workspace: &workspace)
    }
}

/// Sampling as one would write it down: everything sorted, nothing reused.
enum PlainSampler {
    static func draw(_ logits: [Float], _ parameters: SamplingParameters, position: Int, seed: UInt64) -> Int32 {
        let largest = logits.max() ?? 0
        let weights = logits.map { MathFunctions.exp(($0 - largest) / parameters.temperature) }
        var kept = weights.indices.filter { weights[$0] >= parameters.minP && weights[$0] > 0 }
        if parameters.topK > 0 || parameters.topP < 1 {
            kept.sort { (weights[$0], $1) > (weights[$1], $0) }
            if parameters.topK > 0 { kept = Array(kept.prefix(parameters.topK)) }
            let inOrder = parameters.topK > 0 ? kept : kept.sorted()
            let total = inOrder.reduce(0.0) { $0 + Double(weights[$1]) }
            var sum = 0.0
            var nucleus: [Int] = []
            for id in kept where nucleus.isEmpty || sum < Double(parameters.topP) * total {
                nucleus.append(id)
                sum += Double(weights[id])
            }
            kept = nucleus
        }
        let total = kept.reduce(0.0) { $0 + Double(weights[$1]) }
        let target = CounterRandom(seed: seed, choice: 0).uniform(position: UInt64(position)) * total
        var reached = 0.0
        for id in kept {
            reached += Double(weights[id])
            if reached > target { return Int32(id) }
        }
        return Int32(kept.last ?? 0)
    }
}
