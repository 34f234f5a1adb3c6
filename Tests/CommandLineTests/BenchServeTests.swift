import Foundation
import Testing

/// `phalanx bench serve` against a cluster of real processes.
@Suite(.serialized) struct BenchServeTests {
    @Test func `a load is answered whole, and what is shared comes from the cache`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("ready-\(UUID().uuidString).json")
        let cluster = try Program.start([
            "up", "--model", "demo", "--workers", "2", "--port", "0", "--ready-file", file.path,
        ])
        defer {
            cluster.cleanUp()
            try? FileManager.default.removeItem(at: file)
        }
        try await waitUntil("the cluster is ready") {
            guard cluster.process.isRunning else { throw Program.Failure(description: cluster.text("errors")) }
            return FileManager.default.fileExists(atPath: file.path)
        }
        let ready = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        let url = try #require(ready?["url"] as? String)
        let load = ["bench", "serve", "--url", url, "--concurrency", "12", "-p", "130", "-n", "24"]

        let plain = try await Program.run(load + ["--json"])
        #expect(plain.status == 0 && plain.errors.contains("measuring"), "\(plain.errors)")
        let result = try plain.json()
        #expect(result["model"] as? String == "demo" && result["completed"] as? Int == 24)
        #expect(result["prompt_tokens"] as? Int == 24 * 130 && result["output_tokens"] as? Int == 24 * 24)
        #expect(result["cached_tokens"] as? Int == 0 && result["short_answers"] as? Int == 0)
        for key in ["time_to_first_token_ms", "time_per_output_token_ms", "gap_ms"] {
            let times = try #require(result[key] as? [String: Double], "\(key)")
            #expect(times["median"] ?? 0 > 0 && times["max"] ?? 0 >= times["median"] ?? 0, "\(key): \(times)")
        }
        let worst = try #require(result["worst_stream"] as? [String: Double])
        #expect(worst["p99_to_own_median"] ?? 0 >= 1)

        // Pages hold 64 tokens: of 128 that are shared, two pages are there for everyone who comes after the warm-up.
        let shared = try await Program.run(load + ["--shared-prefix", "128", "--requests", "5", "--json", "--text"])
        #expect(shared.status == 0, "\(shared.errors)")
        let tokens = try #require(try shared.json()["prompt_tokens"] as? Int)
        let cached = try #require(try shared.json()["cached_tokens"] as? Int)
        #expect(cached >= 5 * 64 && cached < tokens, "\(cached) of \(tokens)")

        let table = try await Program.run(load + ["--requests", "2", "--rate", "50"])
        #expect(
            table.output.contains("demo: 2 requests in") && table.output.contains("worst stream"), "\(table.output)")

        let tooLong = try await Program.run(["bench", "serve", "--url", url, "-p", "100000"])
        #expect(tooLong.status == 1 && tooLong.errors.contains("context"), "\(tooLong.errors)")
        let afterwards = try await Program.run(load + ["-n", "5000", "--warmup", "0", "--requests", "2", "--json"])
        #expect(afterwards.status == 1 && afterwards.errors.contains("2 of 2 requests failed"), "\(afterwards.errors)")
        #expect(try afterwards.json()["failed"] as? Int == 2)
    }

    @Test func `wrong usage ends with status 2, a server that is not there with status 1`() async throws {
        for arguments in [
            ["--concurrency", "0"], ["--rate", "0"], ["--shared-prefix", "300"], ["--max-tokens", "0"],
        ] {
            let outcome = try await Program.run(["bench", "serve"] + arguments)
            #expect(outcome.status == 2 && outcome.errors.contains(arguments[0]), "\(arguments): \(outcome.errors)")
        }
        let nobody = try await Program.run(["bench", "serve", "--url", "http://127.0.0.1:1"])
        #expect(nobody.status == 1 && nobody.errors.contains("http://127.0.0.1:1"), "\(nobody.errors)")
    }
}
