import Foundation
import TestSupport
import Testing

/// `phalanx synth` and `phalanx quantize`.
@Suite(.serialized) struct SynthTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String) -> String { directory.url.appendingPathComponent(name).path }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.url.path).sorted()
    }

    @Test(arguments: ["Q4_K_M", "Q4_0", "F16"])
    func `a synthetic model is written, and generates`(type: String) async throws {
        let synth = try await Program.run([
            "synth", "--shape", "tiny", "--type", type, "-o", path("tiny.gguf"), "--seed", "5",
        ])
        #expect(synth.status == 0, "\(synth.errors)")
        #expect(synth.output.contains("tiny.gguf") && synth.errors.contains("100%"))
        #expect(try names() == ["tiny.gguf"])
        let outcome = try await Program.run([
            "generate", "--model", path("tiny.gguf"), "--prompt", "hello the world", "--max-tokens", "6",
            "--temperature", "0", "--ignore-eos", "--json",
        ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let ids = try #require(try outcome.json()["ids"] as? [Int])
        let logprobs = try #require(try outcome.json()["logprobs"] as? [Double])
        // Activations neither vanished (all tokens alike, ln 1024 = 6.9) nor exploded (one token certain).
        #expect(ids.count == 6 && logprobs.allSatisfy { (-6.5 ... -0.1).contains($0) }, "\(ids) \(logprobs)")
    }

    @Test func `quantising takes less room and keeps the model`() async throws {
        let synth = try await Program.run(["synth", "--shape", "tiny", "--type", "f32", "-o", path("wide.gguf")])
        #expect(synth.status == 0, "\(synth.errors)")
        let quantize = try await Program.run(["quantize", path("wide.gguf"), path("narrow.gguf"), "--type", "q6_k"])
        #expect(quantize.status == 0, "\(quantize.errors)")
        #expect(quantize.output.contains("Q6_K x") && quantize.errors.contains("100%"))
        var answers: [[String: Any]] = []
        for name in ["wide.gguf", "narrow.gguf"] {
            let outcome = try await Program.run(["inspect", path(name), "--json", "--tensors"])
            answers.append(try outcome.json())
        }
        #expect(answers[0]["parameterCount"] as? Int == answers[1]["parameterCount"] as? Int)
        let tensors = try #require(answers[1]["tensors"] as? [[String: Any]])
        #expect(Set(tensors.compactMap { $0["type"] as? String }) == ["F32", "Q6_K"])
    }

    @Test func `wrong usage and refusals say what to do, and leave nothing`() async throws {
        try directory.write("mine", to: "taken.gguf")
        let synth = ["synth", "--shape", "tiny", "--type", "Q4_0", "-o"]
        let cases: [(arguments: [String], status: Int32, words: [String])] = [
            (["synth", "--shape", "tiny", "--type", "Q9_Z", "-o", path("a")], 2, ["Q9_Z", "Q4_K_M", "BF16"]),
            (["synth", "--shape", "huge", "--type", "Q4_0", "-o", path("a")], 2, ["huge", "phi-3-medium"]),
            (synth + [path("a"), "--layers", "0"], 2, ["--layers"]),
            (synth + [path("taken.gguf")], 1, ["exists", "--force"]),
            (synth + [path("none/a")], 1, ["no such folder"]),
            (
                ["synth", "--shape", "phi-3-medium", "--type", "F32", "--layers", "1024", "-o", path("a")], 1,
                ["room", "bytes"]
            ),
            (["quantize", "demo", path("a"), "--type", "Q4_0"], 1, ["--allow-requantize"]),
            (["quantize", "demo", path("a"), "--type", "IQ3_S"], 2, ["IQ3_S", "Q3_K_M"]),
            (["quantize", path("none.gguf"), path("a"), "--type", "Q4_0"], 1, ["no such file"]),
        ]
        for (arguments, status, words) in cases {
            let outcome = try await Program.run(arguments)
            #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
            for word in words { #expect(outcome.errors.contains(word), "\(arguments): \(outcome.errors)") }
        }
        #expect(try names() == ["taken.gguf"])
        let forced = try await Program.run(synth + [path("taken.gguf"), "--force"])
        #expect(forced.status == 0, "\(forced.errors)")
        #expect(try names() == ["taken.gguf"])
    }

    @Test func `nothing is left of a run that is killed`() async throws {
        let running = try Program.start([
            "synth", "--shape", "phi-3-mini", "--layers", "4", "--type", "F32", "-o", path("killed.gguf"),
        ])
        defer { running.cleanUp() }
        try await waitUntil("writing has begun") {
            guard running.process.isRunning else { throw Program.Failure(description: running.text("errors")) }
            return running.text("errors").contains("%")
        }
        kill(running.process.processIdentifier, SIGKILL)
        let outcome = try await running.outcome()
        #expect(outcome.status == -SIGKILL)
        #expect(try names().isEmpty)
    }
}
