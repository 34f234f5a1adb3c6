import Foundation

/// A worker as a child process that ends with this one: it watches its standard input, which ends when we do.
final class WorkerProcess: @unchecked Sendable {
    // Sound because `process` and `input` are set once, in `init`, and `Process` guards its own state.
    private let process = Process()
    private let input = Pipe()

    let name: String

    struct Settings {
        var name: String
        var coordinatorPort: Int
        var threadCount: Int
        var processors: [Int]?
        var memoryByteCount: Int
        var logLevel: String
        /// What the worker is told of the cache and of the cluster's credentials.
        var otherArguments: [String]
    }

    init(_ settings: Settings) throws {
        name = settings.name
        var arguments = [
            "worker", "--join", "127.0.0.1:\(settings.coordinatorPort)", "--name", settings.name,
            "--threads", "\(settings.threadCount)", "--memory", "\(settings.memoryByteCount)",
            // Workers of one machine share it evenly; measuring them against each other would be noise.
            "--speed", "1e9", "--log-level", settings.logLevel, "--exit-with-input",
        ]
        if let processors = settings.processors {
            arguments += ["--cpus", processors.map(String.init).joined(separator: ",")]
        }
        arguments += settings.otherArguments
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        process.standardInput = input
        // The answer is our standard output; workers only have a log.
        process.standardOutput = FileHandle.standardError
        do {
            try process.run()
        } catch {
            throw CommandError("cannot start worker \(settings.name): \(error.localizedDescription)")
        }
    }

    var processID: Int { Int(process.processIdentifier) }

    /// How it ended, for people; nil while it runs.
    var ending: String? {
        guard !process.isRunning else { return nil }
        return process.terminationReason == .uncaughtSignal
            ? "was killed by signal \(process.terminationStatus)" : "exited with status \(process.terminationStatus)"
    }

    /// Asks the process to end and waits for it at most two seconds; then it is killed.
    func stop() async {
        try? input.fileHandleForWriting.close()
        for _ in 0..<100 where process.isRunning {
            try? await Task.sleep(for: .milliseconds(20))
        }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
