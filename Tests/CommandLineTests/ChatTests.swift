import Foundation
import TestSupport
import Testing

/// `phalanx chat` and `phalanx status --watch`, at a terminal and without one.
@Suite(.serialized) struct ChatTests {
    private static let upArrow = "\u{1B}[A"

    /// A cluster for the length of `body`.
    private func withCluster(_ body: (_ url: String, _ folder: TemporaryDirectory) async throws -> Void) async throws {
        let folder = try TemporaryDirectory()
        let file = folder.url.appendingPathComponent("ready.json").path
        let cluster = try Program.start([
            "up", "--model", "demo", "--workers", "1", "--port", "0", "--ready-file", file,
        ])
        defer { cluster.cleanUp() }
        try await waitUntil("the cluster is ready") {
            guard cluster.process.isRunning else {
                throw Program.Failure(description: "phalanx up ended: \(cluster.text("errors"))")
            }
            return FileManager.default.fileExists(atPath: file)
        }
        let ready = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file)))
        let url = try #require((ready as? [String: Any])?["url"] as? String)
        try await body(url, folder)
        cluster.process.terminate()
        _ = try await cluster.outcome()
    }

    @Test func `a talk at a terminal is edited, stopped and gone on with`() async throws {
        try await withCluster { url, folder in
            let terminal = try PseudoTerminal(["chat", "--url", url, "--temperature", "0"], folder: folder)
            defer { terminal.cleanUp() }
            try await terminal.waitFor(">>> ")
            #expect(!terminal.isAsBefore)
            // Typed wrongly, and put right with the arrow keys.
            try terminal.type("What is the capital of Frnce?\u{1B}[D\u{1B}[D\u{1B}[D\u{1B}[Da\r")
            try await terminal.waitFor("Paris")
            terminal.forget()
            try terminal.type("/show\r")
            try await terminal.waitFor("Talk: 2 messages")
            // The question comes back from the history.
            terminal.forget()
            try terminal.type(Self.upArrow + Self.upArrow)
            try await terminal.waitFor("capital of France?")
            try terminal.type("\r")
            try await terminal.waitFor("Paris")

            // An answer that would go on for long is stopped, and the talk is still there.
            terminal.forget()
            try terminal.type("/set max_tokens 400\r/set temperature 2\r")
            try terminal.type("Tell me a story.\r\u{3}")
            try await terminal.waitFor("(stopped)")
            terminal.forget()
            try terminal.type("/nonsense\r")
            try await terminal.waitFor("There is no /nonsense")
            try terminal.type("/bye\r")
            #expect(try await terminal.end() == 0)
            #expect(terminal.isAsBefore)

            // The next talk knows what was typed in this one.
            let next = try PseudoTerminal(["chat", "--url", url], folder: folder)
            defer { next.cleanUp() }
            try await next.waitFor(">>> ")
            try next.type("\u{12}capital")
            try await next.waitFor("What is the capital of France?")
            try next.type("\u{3}\u{3}")
            try await next.waitFor("again or Ctrl-D")
            try next.type("\u{3}")
            #expect(try await next.end() == 0)
            #expect(next.isAsBefore)
        }
    }

    @Test func `a terminal is given back when the talk is ended by a signal`() async throws {
        try await withCluster { url, folder in
            let terminal = try PseudoTerminal(["chat", "--url", url], folder: folder)
            defer { terminal.cleanUp() }
            try await terminal.waitFor(">>> ")
            #expect(!terminal.isAsBefore)
            let children = try await Program.Running.children(of: terminal.process.processIdentifier)
            for child in children.isEmpty ? [terminal.process.processIdentifier] : children { kill(child, SIGTERM) }
            _ = try await terminal.end()
            #expect(terminal.isAsBefore)
        }
    }

    @Test func `without a terminal, lines come from anywhere`() async throws {
        try await withCluster { url, folder in
            let file = folder.url.appendingPathComponent("talk.json").path
            let input = """
                /set temperature 0
                What is the \\
                capital of France?
                \"\"\"
                What is the capital
                of Italy?
                \"\"\"

                /save \(file)
                """
            let first = try await Program.run(["chat", "--url", url], input: input)
            #expect(first.status == 0 && first.output.contains("Paris"), "\(first.output) \(first.errors)")
            let talk = try String(contentsOfFile: file, encoding: .utf8)
            #expect(talk.contains("What is the capital\\nof Italy?") && talk.contains("\"temperature\" : 0"))
            let second = try await Program.run(
                ["chat", "--url", url], input: "/load \(file)\n/again\n/save \(file)\n/bye\nnot read")
            #expect(second.status == 0, "\(second.errors)")
            #expect(try String(contentsOfFile: file, encoding: .utf8) == talk)
            // A mistake ends a talk that nobody watches.
            let third = try await Program.run(["chat", "--url", url], input: "/set temperature hot\nHello\n")
            #expect(third.status == 1 && third.errors.contains("temperature must be a number from 0 to 2"))
            #expect(third.output.isEmpty)
        }
    }

    @Test func `the status is shown again and again`() async throws {
        try await withCluster { url, folder in
            let terminal = try PseudoTerminal(
                ["status", "--url", url, "--watch", "--interval", "0.1"], columns: 50, rows: 12, folder: folder)
            defer { terminal.cleanUp() }
            try await terminal.waitFor("tokens/s")
            terminal.forget()
            try await terminal.waitFor("worker-0")
            // Nothing is wider than the terminal.
            let frame = terminal.output.replacing(/\u{1B}\[[?0-9]*[A-Za-z]/, with: "")
            #expect(frame.split(whereSeparator: \.isNewline).allSatisfy { $0.count <= 50 }, "\(frame)")
            _ = try await Program.run([
                "chat", "--url", url, "--temperature", "0", "--prompt", "What is the capital of France?",
            ])
            try await terminal.waitFor("1 done")
            try terminal.type("\u{3}")
            #expect(try await terminal.end() == 0)
            // The screen and its cursor are given back.
            try await terminal.waitFor("\u{1B}[?25h\u{1B}[?1049l")

            let lines = try Program.start(["status", "--url", url, "--watch", "--interval", "0.1"])
            defer { lines.cleanUp() }
            try await waitUntil("three lines") { lines.text("output").split(separator: "\n").count >= 3 }
            lines.process.interrupt()
            let outcome = try await lines.outcome()
            #expect(outcome.status == 0 && !outcome.output.contains("\u{1B}"))
            #expect(outcome.output.split(separator: "\n").allSatisfy { $0.contains("1 of 1 workers serve") })
        }
    }
}

extension Program.Running {
    /// The processes that a process started.
    static func children(of processID: Int32) async throws -> [Int32] {
        let text = try String(contentsOfFile: "/proc/\(processID)/task/\(processID)/children", encoding: .utf8)
        return text.split(separator: " ").compactMap { Int32($0) }
    }
}
