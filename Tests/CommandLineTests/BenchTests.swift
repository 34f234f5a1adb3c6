import Foundation
import Testing

/// `phalanx bench` as scripts use it.
@Suite(.serialized) struct BenchTests {
    @Test func `the demo model is measured, and nothing is faster than the machine`() async throws {
        let outcome = try await Program.run([
            "bench", "--model", "demo", "-p", "64", "-n", "8", "--depth", "32", "--streams", "1,4", "--threads", "2",
            "--kv-type", "f16", "--repeat", "2", "--json",
        ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("prefill"), "progress belongs on the error output")
        let object = try outcome.json()
        for key in ["prefill_tokens_per_second", "load_seconds"] {
            #expect((object[key] as? Double ?? 0) > 0, "\(key): \(object)")
        }
        let prefill = try #require(object["prefill_fraction_of_int8_peak"] as? Double)
        #expect(prefill > 0 && prefill <= 1)
        let decode = try #require(object["decode"] as? [[String: Any]])
        #expect(decode.map { $0["streams"] as? Int } == [1, 4])
        for entry in decode {
            #expect((entry["tokens_per_second"] as? Double ?? 0) > 0)
            let fraction = try #require(entry["fraction_of_bandwidth"] as? Double)
            #expect(fraction > 0 && fraction <= 1)
        }
        let limits = try #require(object["limits"] as? [String: Any])
        for key in ["read_gigabytes_per_second", "int8_gigamacs_per_second"] {
            #expect((limits[key] as? Double ?? 0) > 0, "\(key): \(limits)")
        }
    }

    @Test func `grammars are measured`() async throws {
        let outcome = try await Program.run(["bench", "grammar", "--answers", "1"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("nested schema") && outcome.output.contains(" us"), "\(outcome.output)")
        let wrong = try await Program.run(["bench", "grammar", "--answers", "0"])
        #expect(wrong.status == 2 && wrong.errors.contains("1 to 10000"), "\(wrong.errors)")
    }

    @Test func `tables are for people`() async throws {
        let model = try await Program.run(["bench", "--model", "demo", "-p", "0", "-n", "4", "--repeat", "1"])
        #expect(model.status == 0, "\(model.errors)")
        #expect(model.output.contains("decode, 1 stream") && model.output.contains("GB/s"), "\(model.output)")
        #expect(!model.output.contains("prefill"))
        let kernels = try await Program.run([
            "bench", "kernels", "--operations", "matrix,norm", "--format", "q8_0", "--rows", "2", "--columns", "256",
            "--outputs", "64",
        ])
        #expect(kernels.status == 0, "\(kernels.errors)")
        #expect(kernels.output.contains("matrix product  Q8_0"), "\(kernels.output)")
        let cliffs = try await Program.run([
            "bench", "cliffs", "--format", "Q4_K", "--rows", "2", "--columns", "256", "--outputs", "64",
        ])
        #expect(cliffs.status == 0 && cliffs.output.contains("smallest ratio"), "\(cliffs.errors)")
    }

    @Test func `wrong usage ends with status 2, what does not fit the model with status 1`() async throws {
        let wrongUsage: [[String]] = [
            ["bench"], ["bench", "--model", "demo", "--streams", "0"],
            ["bench", "--model", "demo", "--streams", "1,x"],
            ["bench", "--model", "demo", "--repeat", "0"], ["bench", "--model", "demo", "-p", "0", "-n", "0"],
            ["bench", "--model", "demo", "--isa", "mmx"], ["bench", "--model", "demo", "--kv-type", "q1"],
            ["bench", "kernels", "--format", "Q9"], ["bench", "kernels", "--columns", "100"],
            ["bench", "kernels", "--operations", "magic"], ["bench", "cliffs", "--rows", "1"],
        ]
        for arguments in wrongUsage {
            let outcome = try await Program.run(arguments)
            #expect(outcome.status == 2, "\(arguments): \(outcome.errors)")
            #expect(!outcome.errors.isEmpty && outcome.output.isEmpty, "\(arguments)")
        }
        let deep = try await Program.run(["bench", "--model", "demo", "--depth", "100000"])
        #expect(deep.status == 1 && deep.errors.contains("--depth 100000") && deep.errors.contains("context"))
        let missing = try await Program.run(["bench", "--model", "/nonexistent/model.gguf"])
        #expect(missing.status == 1 && missing.errors.contains("/nonexistent/model.gguf"))
    }
}
