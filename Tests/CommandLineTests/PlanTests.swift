import Foundation
import TestSupport
import Testing

/// `phalanx plan`.
@Suite(.serialized) struct PlanTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func plan(_ specification: String, _ arguments: [String]) async throws -> Program.Outcome {
        try directory.write(specification, to: "cluster.json")
        let path = directory.url.appendingPathComponent("cluster.json").path
        return try await Program.run(["plan", "--workers", path] + arguments)
    }

    private let medium = ["--shape", "phi-3-medium", "--type", "Q4_K_M"]

    @Test func `the demo model is split, and fewer machines are found faster for one stream`() async throws {
        let specification = """
            {"workers": [{"name": "a", "memory": "4GiB", "read_gb_per_s": 10, "int8_gmac_per_s": 100, "threads": 4},
                         {"name": "b", "memory": 4294967296, "read_gb_per_s": 10, "int8_gmac_per_s": 100}],
             "link": {"gbit_per_s": 1, "delay_ms": 2}}
            """
        let outcome = try await plan(specification, ["--model", "demo", "--json"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let report = try outcome.json()
        let stages = try #require(report["stages"] as? [[String: Any]])
        #expect(stages.compactMap { $0["worker"] as? String } == ["a", "b"])
        let layers = stages.compactMap { $0["layers"] as? [String: Int] }
        #expect(layers.first?["first"] == 0 && layers.last?["end"] == report["layerCount"] as? Int)
        #expect(layers.first?["end"] == layers.last?["first"])
        #expect(stages.allSatisfy { ($0["memoryByteCount"] as? Int ?? .max) <= 4 << 30 })
        let single = try #require((report["singleStream"] as? [String: Any])?["tokensPerSecond"] as? Double)
        // Three delays of 2 ms at least.
        #expect(single > 50 && single < 1000 / 6)
        let many = try #require((report["manyStreams"] as? [String: Any])?["tokensPerSecond"] as? Double)
        #expect(many > single)
        #expect((report["prompt"] as? [String: Any])?["tokensPerSecond"] as? Double ?? 0 > 0)
        let fewer = try #require(report["fewer"] as? [String: Any])
        #expect(fewer["isFaster"] as? Bool == true && fewer["workers"] as? [String] == ["a"])
        #expect((fewer["reason"] as? String)?.contains("links take") == true)

        let text = try await plan(specification, ["--model", "demo", "--streams", "4"])
        for word in ["WORKER", "a ", "1 stream: ", "4 streams ", "a long prompt: ", "fewer machines would be faster"] {
            #expect(text.output.contains(word), "\(text.output)")
        }
    }

    @Test func `a shape needs no file, memory decides, and a slow worker is named`() async throws {
        let slow = """
            {"workers": [{"name": "big", "memory": "24GiB", "read_gb_per_s": 40, "count": 2},
                         {"name": "slow", "memory": "24GiB", "read_gb_per_s": 0.5}]}
            """
        let outcome = try await plan(slow, medium)
        #expect(outcome.status == 0, "\(outcome.errors)")
        for word in ["big-1", "big-2", "slow is slow", "for 8 streams, too", "int8_gmac_per_s is not given of big-1"] {
            #expect(outcome.output.contains(word), "\(word): \(outcome.output)")
        }
        let small = """
            {"workers": [{"name": "w", "memory": "5GiB", "read_gb_per_s": 10, "count": 2}]}
            """
        let tight = try await plan(small, medium + ["--ctx-size", "1024"])
        #expect(tight.status == 0 && tight.output.contains("fewer machines are too few"), "\(tight.output)")
        let none = try await plan(small, medium + ["--ctx-size", "4096", "--kv-type", "f32"])
        #expect(none.status == 1 && none.errors.contains("for weights") && none.errors.contains("--ctx-size"))
        // With half the keys and values it fits.
        #expect(try await plan(small, medium + ["--ctx-size", "4096", "--kv-type", "q8_0"]).status == 0)
    }

    @Test func `whole pipelines side by side are shown where they pay`() async throws {
        let rich = #"{"workers": [{"name": "w", "memory": "24GiB", "read_gb_per_s": 20, "count": 3}]}"#
        let json = try await plan(rich, medium + ["--json"])
        let replicas = try #require(try json.json()["replicas"] as? [String: Any])
        let pipelines = try #require(replicas["pipelines"] as? [[String: Any]])
        #expect(pipelines.map { ($0["stages"] as? [Any])?.count } == [1, 1, 1])
        let several = try #require(replicas["tokensPerSecond"] as? Double)
        #expect(several > replicas["onePipelineTokensPerSecond"] as? Double ?? .infinity)
        let text = try await plan(rich, medium)
        #expect(text.output.contains("3 whole pipelines side by side") && text.output.contains("--replicas 1"))
        // Three machines of 5 GiB hold the model together and no other way.
        let poor = #"{"workers": [{"name": "w", "memory": "5GiB", "read_gb_per_s": 20, "count": 3}]}"#
        let one = try await plan(poor, medium + ["--ctx-size", "1024"])
        #expect(one.status == 0 && !one.output.contains("side by side"), "\(one.output)")
    }

    @Test func `more workers than layers are spares`() async throws {
        let outcome = try await plan(
            #"{"workers": [{"name": "w", "memory": "1GiB", "read_gb_per_s": 1, "count": 1024}]}"#,
            ["--shape", "tiny", "--type", "Q4_0", "--json"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect((try outcome.json()["stages"] as? [Any])?.count == 2)
        #expect((try outcome.json()["spares"] as? [Any])?.count == 1022)
    }

    private static let worker = #""memory": "1GiB", "read_gb_per_s": 1"#

    @Test(arguments: [
        ("", ["is empty"]),
        ("{", ["is not JSON"]),
        ("{} x", ["is not JSON"]),
        ("[]", ["the file must be an object"]),
        ("{}", ["there are no \"workers\""]),
        (#"{"workers": 3}"#, ["must be a list"]),
        (#"{"workers": [], "wrokers": []}"#, ["unknown key \"wrokers\"", "workers, link, links"]),
        (#"{"workers": [7]}"#, ["workers[0] must be an object"]),
        (#"{"workers": [{"memory": "1GiB", "read_gb_per_s": 1}]}"#, ["workers[0] lacks \"name\""]),
        (#"{"workers": [{"name": "a", "read_gb_per_s": 1}]}"#, ["lacks \"memory\""]),
        (#"{"workers": [{"name": "a", "memory": "1GiB"}]}"#, ["lacks \"read_gb_per_s\""]),
        (#"{"workers": [{"name": "a", "memory": "1GiB", "read_gb_per_s": true}]}"#, ["must be a number"]),
        (#"{"workers": [{"name": "a", "memory": "1GiB", "read_gb_per_s": -2}]}"#, ["is -2.0", "between"]),
        (#"{"workers": [{"name": "a", "memory": "1GiB", "read_gb_per_s": 1e30}]}"#, ["between"]),
        (#"{"workers": [{"name": "a", "memory": "1GiB", "read_gb_per_s": 1e999}]}"#, ["cluster.json"]),
        (#"{"workers": [{"name": "a", "memory": "much", "read_gb_per_s": 1}]}"#, ["\"memory\" must be a size"]),
        (#"{"workers": [{"name": "a", "memory": -5, "read_gb_per_s": 1}]}"#, ["\"memory\" must be a size"]),
        (#"{"workers": [{"name": "a", "memory": 1e30, "read_gb_per_s": 1}]}"#, ["\"memory\" must be a size"]),
        (#"{"workers": [{"name": "a", \#(worker), "threads": 1.5}]}"#, ["must be a whole number"]),
        (#"{"workers": [{"name": "a", \#(worker), "int8_gmac_per_s": 0}]}"#, ["int8_gmac_per_s"]),
        (#"{"workers": [{"name": "a", \#(worker)}, {"name": "a", \#(worker)}]}"#, ["two workers are named \"a\""]),
        (#"{"workers": [{"name": "a", \#(worker), "count": 1000}, {"name": "b", \#(worker), "count": 25}]}"#, ["1024"]),
        (#"{"workers": [{"name": "a", \#(worker)}], "link": {"gbit_per_s": 1}}"#, ["link lacks \"delay_ms\""]),
        (#"{"workers": [{"name": "a", \#(worker)}], "link": {"gbit_per_s": 0, "delay_ms": 1}}"#, ["gbit_per_s"]),
        (
            #"{"workers": [{"name": "a", \#(worker)}], "links": [{"between": ["a", "b"], "gbit_per_s": 1}]}"#,
            ["links[0]: there is no worker \"b\""]
        ),
        (
            #"{"workers": [{"name": "a", \#(worker)}], "links": [{"between": ["a", "a"], "gbit_per_s": 1}]}"#,
            ["names of two workers"]
        ),
    ])
    func `a bad file is refused with what is wrong and where`(specification: String, words: [String]) async throws {
        let outcome = try await plan(specification, ["--model", "demo"])
        #expect(outcome.status == 1, "\(outcome.output)")
        for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
    }

    @Test func `wrong usage says what to do`() async throws {
        let specification = #"{"workers": [{"name": "a", \#(Self.worker)}]}"#
        let cases: [(arguments: [String], status: Int32, word: String)] = [
            ([], 2, "--model FILE"), (["--model", "demo", "--shape", "tiny"], 2, "either --model"),
            (["--shape", "tiny"], 2, "belong together"), (["--model", "demo", "--streams", "0"], 2, "--streams"),
            (["--model", "demo", "--ctx-size", "100000000"], 1, "--ctx-size"),
            (["--model", "demo", "--depth", "999999"], 1, "--depth"),
            (["--model", "/none.gguf"], 1, "/none.gguf"),
            (["--model", "demo", "--threads", "2"], 2, "--measure"),
        ]
        for (arguments, status, word) in cases {
            let outcome = try await plan(specification, arguments)
            #expect(outcome.status == status && outcome.errors.contains(word), "\(arguments): \(outcome.errors)")
        }
        let missing = try await Program.run(["plan", "--model", "demo", "--workers", "/none.json"])
        #expect(missing.status == 1 && missing.errors.contains("/none.json"))
        let large = try await plan(String(repeating: " ", count: 5 << 20), ["--model", "demo"])
        #expect(large.status == 1 && large.errors.contains("larger than 4.0 MiB"))
    }

    @Test func `the example in the help and the measured file are good files`() async throws {
        let help = try await Program.run(["plan", "--help"])
        let lines = help.output.split(separator: "\n", omittingEmptySubsequences: false)
        let first = try #require(lines.firstIndex { $0.trimmingCharacters(in: .whitespaces) == "{" })
        let last = try #require(lines[first...].firstIndex { $0.trimmingCharacters(in: .whitespaces) == "}" })
        let example = lines[first...last].joined(separator: "\n")
        #expect(try await plan(example, medium).status == 0, "\(example)")
        let measured = try await Program.run(["plan", "--measure", "--threads", "1", "--memory", "2GiB"])
        #expect(measured.status == 0, "\(measured.errors)")
        let outcome = try await plan(measured.output, ["--model", "demo"])
        #expect(outcome.status == 0 && outcome.output.contains("one machine holds everything"), "\(outcome.errors)")
    }
}
