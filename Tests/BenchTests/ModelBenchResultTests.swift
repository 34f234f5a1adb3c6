import Checkpoint
import Foundation
import Inference
import TestSupport
import Testing

@testable import Bench

/// What a plan amounts to, and what is reported of a run.
struct ModelBenchResultTests {
    private let limits = MachineLimits(
        readGigabytesPerSecond: 50, repeatedReadGigabytesPerSecond: 50, int8GigamacsPerSecond: 400,
        float32GigamacsPerSecond: 100)

    private func result(prefill: ModelBenchResult.Prefill?) -> ModelBenchResult {
        let rounds = [4.0, 1, 2].map { Measurement(seconds: $0, othersFraction: $0 == 4 ? nil : 0.25) }
        return ModelBenchResult(
            modelName: "m", plan: ModelBenchPlan(), isa: "scalar", loadSeconds: 3, weightByteCount: 11,
            stepWeightByteCount: 10, prefill: prefill,
            decode: [ModelBenchResult.Decode(streamCount: 4, tokenCount: 256, byteCount: 25e9, rounds: rounds)],
            limits: limits)
    }

    private func json(_ result: ModelBenchResult) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(result))
        return try #require(object as? [String: Any])
    }

    @Test func `the JSON holds medians and fractions under their names`() throws {
        let rounds = [2.0, 2, 2].map { Measurement(seconds: $0, othersFraction: nil) }
        let object = try json(
            result(prefill: ModelBenchResult.Prefill(tokenCount: 512, multiplyAddCount: 200e9, rounds: rounds)))
        #expect(object["prefill_tokens_per_second"] as? Double == 256)
        #expect(object["prefill_fraction_of_int8_peak"] as? Double == 0.25)
        #expect(object["load_seconds"] as? Double == 3)
        let decode = try #require((object["decode"] as? [[String: Any]])?.first)
        #expect(decode["streams"] as? Int == 4)
        #expect(decode["tokens_per_second"] as? Double == 128)
        #expect(decode["fraction_of_bandwidth"] as? Double == 0.25)
        let each = try #require(decode["rounds"] as? [[String: Any]])
        #expect(each.map { $0["tokens_per_second"] as? Double } == [64, 256, 128])
        #expect(each[0]["others_fraction_of_processors"] is NSNull)
        #expect(each[1]["others_fraction_of_processors"] as? Double == 0.25)
        let machine = try #require(object["limits"] as? [String: Any])
        #expect(machine["read_gigabytes_per_second"] as? Double == 50)
        #expect(machine["int8_gigamacs_per_second"] as? Double == 400)
    }

    @Test func `what was not measured is null`() throws {
        let object = try json(result(prefill: nil))
        for key in ["prefill_tokens_per_second", "prefill_fraction_of_int8_peak", "prefill_rounds"] {
            #expect(object[key] is NSNull, "\(key)")
        }
    }

    @Test func `a stream reads the keys and values of all positions before it`() throws {
        let model = try Checkpoint.open(DemoModelFile.url.path).configuration
        var plan = ModelBenchPlan()
        plan.depth = 10
        plan.generatedCount = 3
        // Positions 10, 11 and 12 see 11, 12 and 13; two bytes for each number of a key and of a value.
        let positionByteCount = model.layerCount * model.kvWidth * 2 * 2
        let seen = model.slidingWindow.map { 3 * min($0, 11) } ?? 36
        #expect(plan.keyValueByteCount(model) == Double(seen * positionByteCount))
        var windowed = model
        windowed.slidingWindow = 12
        #expect(plan.keyValueByteCount(windowed) == Double(35 * positionByteCount))
    }

    @Test func `what does not fit the model or the machine is refused with the flag's name`() throws {
        let model = try Checkpoint.open(DemoModelFile.url.path).configuration
        let wrong: [(String, (inout ModelBenchPlan) -> Void)] = [
            ("--streams 0", { $0.streamCounts = [4, 0] }), ("--streams", { $0.streamCounts = [] }),
            ("-p \(model.contextLength + 1)", { $0.promptCount = model.contextLength + 1 }),
            ("--depth", { $0.depth = model.contextLength }), ("-n", { $0.generatedCount = -1 }),
            ("--repeat 0", { $0.repeatCount = 0 }), ("--chunk 0", { $0.chunkRowCount = 0 }),
            ("--threads 0", { $0.threadCount = 0 }),
            (
                "nothing to measure",
                {
                    $0.promptCount = 0
                    $0.generatedCount = 0
                }
            ),
        ]
        for (words, change) in wrong {
            var plan = ModelBenchPlan()
            plan.promptCount = 16
            change(&plan)
            let error = #expect(throws: BenchError.self) { try plan.check(model, availableByteCount: 1 << 40) }
            #expect(error?.message.contains(words) == true, "\(words): \(error?.message ?? "no error")")
        }
        var plan = ModelBenchPlan()
        plan.promptCount = 16
        try plan.check(model, availableByteCount: 1 << 40)
        let error = #expect(throws: BenchError.self) { try plan.check(model, availableByteCount: 1 << 10) }
        #expect(error?.message.contains("MiB are free") == true)
    }
}
