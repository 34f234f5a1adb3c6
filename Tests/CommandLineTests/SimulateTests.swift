import Foundation
import TestSupport
import Testing

/// `phalanx simulate`.
@Suite(.serialized) struct SimulateTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func simulate(_ specification: String, _ arguments: [String]) async throws -> Program.Outcome {
        try directory.write(specification, to: "cluster.json")
        let path = directory.url.appendingPathComponent("cluster.json").path
        return try await Program.run(["simulate", "--workers", path] + arguments)
    }

    private static let two = """
        {"workers": [{"name": "w", "memory": "1GiB", "read_gb_per_s": 1, "int8_gmac_per_s": 10, "count": 2}],
         "link": {"gbit_per_s": 1, "delay_ms": 1}}
        """

    @Test func `the same seed predicts the same, and a faster cluster more`() async throws {
        let arguments = [
            "--model", "demo", "--streams", "4", "--prompt-tokens", "5-40", "--answer-tokens", "10", "--json",
        ]
        let outcome = try await simulate(Self.two, arguments)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let report = try outcome.json()
        #expect(report["requestCount"] as? Int == 16 && report["answerTokenCount"] as? Int == 160)
        #expect((report["stages"] as? [[String: Any]])?.count == 2)
        let efficiency = try #require(report["efficiency"] as? Double)
        #expect(efficiency > 0 && efficiency <= 1)
        let rate = try #require(report["tokensPerSecond"] as? Double)
        #expect(try await simulate(Self.two, arguments).output == outcome.output)
        #expect(try await simulate(Self.two, arguments + ["--seed", "2"]).output != outcome.output)
        let near = try await simulate(
            Self.two.replacingOccurrences(of: "\"delay_ms\": 1", with: "\"delay_ms\": 0"), arguments)
        #expect(try near.json()["tokensPerSecond"] as? Double ?? 0 > rate)
    }

    @Test func `the table names workers, waits and what ran out`() async throws {
        let outcome = try await simulate(
            Self.two,
            ["--model", "demo", "--rate", "1000", "--requests", "300", "--shared-tokens", "200"]
                + ["--prompt-tokens", "200-300", "--answer-tokens", "100", "--ctx-size", "512"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        for word in ["w-1", "w-2", "BUSY", "efficiency", "cached", "first token", "token to token", "sent away"] {
            #expect(outcome.output.contains(word), "\(word): \(outcome.output)")
        }
    }

    @Test func `random clusters with faults keep their promises`() async throws {
        let outcome = try await Program.run(["simulate", "--random", "20", "--seed", "5"])
        #expect(outcome.status == 0 && outcome.output.contains("20 clusters"), "\(outcome.errors)")
    }

    @Test(arguments: [
        (["--model", "demo", "--prompt-tokens", "9-3"], 2, "prompt-tokens"),
        (["--model", "demo", "--prompt-tokens", "0"], 2, "prompt-tokens"),
        (["--model", "demo", "--answer-tokens", "100000"], 1, "larger --ctx-size"),
        (["--model", "demo", "--streams", "0"], 2, "--streams must"),
        (["--model", "demo", "--rate", "nan"], 2, "--rate must"),
        (["--model", "demo", "--requests", "10001"], 2, "--requests must"),
        (["--model", "demo", "--jitter=-1"], 2, "--jitter must"),
        (["--model", "demo", "--random", "5"], 2, "stands alone"),
        ([], 2, "--model FILE"),
    ])
    func `what cannot be simulated is refused with the cure`(
        arguments: [String], status: Int32, words: String
    ) async throws {
        let outcome = try await simulate(Self.two, arguments)
        #expect(outcome.status == status && outcome.errors.contains(words), "\(outcome.errors)")
    }

    @Test func `too many machines and too little memory are refused with the cure`() async throws {
        let many = try await simulate(
            Self.two.replacingOccurrences(of: "\"count\": 2", with: "\"count\": 65"), ["--model", "demo"])
        #expect(many.status == 1 && many.errors.contains("64"), "\(many.errors)")
        let small = try await simulate(
            Self.two.replacingOccurrences(of: "1GiB", with: "1MiB"), ["--model", "demo"])
        #expect(small.status == 1 && small.errors.contains("no split fits"), "\(small.errors)")
    }
}
