import Foundation
import TestSupport
import Testing

/// The flags of the cache, with real worker processes.
@Suite(.serialized) struct CacheTests {
    private let question = [
        "generate", "--model", "demo", "--prompt", "What is the capital of France?", "--chat", "--max-tokens", "8",
        "--temperature", "0",
    ]

    /// The files of packed weights below a cache directory.
    private func files(_ directory: URL) -> [String] {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: directory.path)) ?? []
        return names.filter { $0.hasSuffix(".packed") }.sorted()
    }

    /// Runs the program until everything comes from the cache; a slow disk may take more than one run to fill it.
    private func runUntilCached(_ arguments: [String]) async throws -> Program.Outcome {
        var outcome = try await Program.run(arguments)
        for _ in 0..<10 where !isCached(outcome) { outcome = try await Program.run(arguments) }
        return outcome
    }

    private func isCached(_ outcome: Program.Outcome) -> Bool {
        outcome.errors.contains("from=cache ") && !outcome.errors.contains("checkpoint")
    }

    @Test func `the second start reads what the first packed, with other workers too`() async throws {
        let directory = try TemporaryDirectory()
        let cache = directory.url.appendingPathComponent("cache")
        let first = try await Program.run(question + ["--cache-dir", cache.path])
        #expect(first.status == 0 && first.errors.contains("from=checkpoint"), "\(first.errors)")
        let second = try await runUntilCached(question + ["--cache-dir", cache.path])
        #expect(second.status == 0 && second.output == first.output)
        #expect(isCached(second), "\(second.errors)")
        let kept = files(cache)
        #expect(kept.contains { $0.hasSuffix("layer-0000.packed") } && kept.contains { $0.hasSuffix("head.packed") })
        #expect(Set(kept.map { $0.split(separator: "/")[0] }) == ["packed"])
        let two = try await Program.run(question + ["--cache-dir", cache.path, "--workers", "2"])
        #expect(two.status == 0 && two.output == first.output)
        #expect(two.errors.contains("from=cache"), "\(two.errors)")
        let none = try await Program.run(question + ["--no-cache"])
        #expect(none.status == 0 && none.output == first.output && none.errors.contains("from=checkpoint"))
    }

    @Test func `two programs that start at once share a cache`() async throws {
        let directory = try TemporaryDirectory()
        let arguments = question + ["--cache-dir", directory.url.path]
        let outcomes = try await withThrowingTaskGroup(of: Program.Outcome.self) { group in
            for _ in 0..<3 { group.addTask { try await Program.run(arguments) } }
            return try await group.reduce(into: [Program.Outcome]()) { $0.append($1) }
        }
        for outcome in outcomes {
            #expect(outcome.status == 0 && outcome.output == outcomes[0].output, "\(outcome.errors)")
        }
        let after = try await runUntilCached(arguments)
        #expect(after.output == outcomes[0].output && isCached(after), "\(after.errors)")
        let names = try FileManager.default.subpathsOfDirectory(atPath: directory.url.path)
        #expect(!names.contains { $0.contains(".writing-") })
    }

    @Test func `a damaged file is packed anew, and the log says so`() async throws {
        let directory = try TemporaryDirectory()
        let arguments = question + ["--cache-dir", directory.url.path]
        let first = try await runUntilCached(arguments)
        let name = try #require(files(directory.url).first { $0.hasSuffix("layer-0001.packed") })
        let file = directory.url.appendingPathComponent(name)
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file)
        let second = try await Program.run(arguments)
        #expect(second.status == 0 && second.output == first.output)
        #expect(second.errors.contains("layer-0001.packed") && second.errors.contains("damaged"), "\(second.errors)")
        let third = try await runUntilCached(arguments)
        #expect(isCached(third), "\(third.errors)")
    }

    @Test func `a cache that cannot be written is said and does no harm`() async throws {
        let outcome = try await Program.run(question + ["--cache-dir", "/dev/null/cache"])
        #expect(outcome.status == 0 && outcome.output.contains("Paris"), "\(outcome.errors)")
        #expect(outcome.errors.contains("Not keeping packed weights"), "\(outcome.errors)")
        #expect(outcome.errors.components(separatedBy: "Not keeping").count == 2, "\(outcome.errors)")
        let small = try await Program.run(question + ["--cache-limit", "1KiB"])
        #expect(small.status == 0 && small.errors.contains("--cache-limit"), "\(small.errors)")
    }

    @Test func `wrong usage is explained`() async throws {
        for arguments in [
            ["--cache-dir", "/tmp", "--no-cache"], ["--cache-dir", ""], ["--cache-limit", "none"],
        ] {
            let outcome = try await Program.run(question + arguments)
            #expect(outcome.status == 2 && outcome.errors.contains("cache"), "\(arguments): \(outcome.errors)")
        }
        for command in ["up", "worker", "generate", "chat"] {
            let help = try await Program.run([command, "--help"])
            #expect(help.output.contains("--cache-dir") && help.output.contains("--no-cache"), "\(command)")
        }
    }
}
