import Foundation
import TestSupport
import Testing

/// `phalanx generate` as scripts use it, with real worker processes.
@Suite(.serialized) struct GenerateTests {
    @Test func `two worker processes and one give the same object`() async throws {
        var objects: [[String: Any]] = []
        for workers in ["1", "2"] {
            let outcome = try await Program.run([
                "generate", "--model", "demo", "--workers", workers, "--prompt", "What is the capital of France?",
                "--chat", "--max-tokens", "16", "--temperature", "0", "--logprobs", "3", "--json",
            ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            var object = try outcome.json()
            #expect(object.removeValue(forKey: "timings") is [String: Any])
            objects.append(object)
        }
        let first = try #require(objects.first)
        #expect(NSDictionary(dictionary: first) == NSDictionary(dictionary: objects[1]))
        let promptIDs = try #require(first["prompt_ids"] as? [Int])
        let promptLogprobs = try #require(first["prompt_logprobs"] as? [Any])
        #expect(promptLogprobs.count == promptIDs.count)
        #expect(promptLogprobs.first is NSNull)
        let ids = try #require(first["ids"] as? [Int])
        #expect(ids.count == (first["logprobs"] as? [Double])?.count)
        let tops = try #require(first["top_logprobs"] as? [[[String: Any]]])
        #expect(tops.count == ids.count)
        #expect(tops.allSatisfy { $0.count == 3 && $0[0]["id"] is Int && $0[0]["logprob"] is Double })
        #expect((first["text"] as? String)?.contains("Paris") == true, "\(first["text"] ?? "")")
        #expect(first["finish_reason"] as? String == "stop")
    }

    @Test func `a seed repeats an answer`() async throws {
        var texts: [String] = []
        for seed in ["7", "7", "8"] {
            let outcome = try await Program.run([
                "generate", "--model", "demo", "--prompt-ids", "5,6,7,8", "--max-tokens", "24", "--seed", seed,
                "--temperature", "1.5", "--ignore-eos", "--json",
            ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            texts.append("\(try outcome.json()["ids"] ?? "")")
        }
        #expect(texts[0] == texts[1])
        #expect(texts[0] != texts[2])
    }

    @Test func `wrong usage ends with status 2 and failures with status 1`() async throws {
        let wrongUsage: [[String]] = [
            ["generate", "--model", "demo"], ["generate", "--nonsense"], ["nonsense"],
            ["up", "--model", "demo", "--workers", "0"], ["up", "--model", "demo", "--workers", "3", "--split", "4"],
            ["generate", "--model", "demo", "--prompt", "x", "--temperature", "nan"],
            ["generate", "--model", "demo", "--prompt-ids", "1,x"],
            ["worker", "--join", "10.1.2.3:7070"], ["coordinator", "--model", "demo", "--bind", "0.0.0.0"],
        ]
        for arguments in wrongUsage {
            let outcome = try await Program.run(arguments)
            #expect(outcome.status == 2, "\(arguments): \(outcome.errors)")
            #expect(!outcome.errors.isEmpty && outcome.output.isEmpty, "\(arguments)")
        }
        let failures: [[String]] = [
            ["generate", "--model", "/nonexistent/model.gguf", "--prompt", "x"], ["inspect", "/nonexistent"],
            ["generate", "--model", "demo", "--workers", "500", "--prompt", "x"],
            ["up", "--model", "demo", "--ready-file", "/nonexistent/folder/ready.json"],
            ["generate", "--model", "demo", "--prompt-ids", "1,2,999999", "--max-tokens", "1"],
        ]
        for arguments in failures {
            let outcome = try await Program.run(arguments)
            #expect(outcome.status == 1, "\(arguments): \(outcome.errors)")
            #expect(outcome.errors.contains("error:"), "\(arguments)")
        }
        let help = try await Program.run(["--help"])
        #expect(help.status == 0 && help.output.contains("phalanx up"))
    }

    @Test(arguments: [
        ["generate", "--model", "demo", "--prompt", "Hello", "--max-tokens", "4"],
        ["generate", "--model", "demo", "--prompt", "Hello", "--max-tokens", "4", "--json"], ["inspect", "demo"],
        ["tokenize", "--model", "demo"],
    ])
    func `an output that takes nothing is an error, not a crash`(arguments: [String]) async throws {
        let outcome = try await Program.run(arguments, input: "text", outputPath: "/dev/full")
        #expect(outcome.status == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains("standard output"), "\(outcome.errors)")
    }

    @Test func `inspect shows the demo model's card`() async throws {
        let outcome = try await Program.run(["inspect", "demo"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        for word in ["layers", "Q8_0", "What it is", "trained on", "How good it is", "Limits"] {
            #expect(outcome.output.contains(word), "\(word)")
        }
    }

    @Test func `tokenize reads lines of JSON`() async throws {
        let outcome = try await Program.run(
            ["tokenize", "--model", "demo", "--jsonl"], input: "\"Hello\"\n\"<|end|>\"\n\"\"\n\"a\\nb\"\n")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[2] == "[]")
        let special = try await Program.run(
            ["tokenize", "--model", "demo", "--jsonl", "--special"], input: "\"<|end|>\"\n")
        let ids = try #require(try JSONSerialization.jsonObject(with: Data(special.output.utf8)) as? [Int])
        #expect(ids.count == 1)
        let wrong = try await Program.run(["tokenize", "--model", "demo", "--jsonl"], input: "not json\n")
        #expect(wrong.status == 1 && wrong.errors.contains("line 1"))
    }
}
