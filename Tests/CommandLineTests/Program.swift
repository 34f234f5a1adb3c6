import Foundation
import TestSupport

/// The program under test, as it was built beside the tests.
enum Program {
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String

        /// The standard output as a JSON object.
        func json() throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
            guard let object = value as? [String: Any] else { throw Failure(description: "no JSON object: \(output)") }
            return object
        }
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static let path: String = {
        let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let beside = folder.appendingPathComponent("phalanx")
        if FileManager.default.isExecutableFile(atPath: beside.path) { return beside.path }
        // The runner may load the tests as a library: then the arguments name it.
        for argument in CommandLine.arguments where argument.contains(".xctest") {
            let program = URL(fileURLWithPath: argument).deletingLastPathComponent().appendingPathComponent("phalanx")
            if FileManager.default.isExecutableFile(atPath: program.path) { return program.path }
        }
        return beside.path
    }()

    /// Starts the program; its output goes to files, which cannot fill up as pipes do.
    static func start(
        _ arguments: [String], input: String = "", outputPath: String? = nil, environment: [String: String] = [:]
    ) throws -> Running {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("phalanx-test-\(UUID().uuidString)", isDirectory: true)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return try Running(
            path: path, arguments: arguments, input: input, folder: folder, outputPath: outputPath,
            environment: environment)
    }

    /// Runs the program to its end.
    static func run(
        _ arguments: [String], input: String = "", outputPath: String? = nil, environment: [String: String] = [:]
    ) async throws -> Outcome {
        let running = try start(arguments, input: input, outputPath: outputPath, environment: environment)
        defer { running.cleanUp() }
        return try await running.outcome()
    }

    /// A started program.
    final class Running: @unchecked Sendable {
        // Sound because all members are set once, in `init`, and `Process` guards its own state.
        let process = Process()
        let folder: URL

        init(
            path: String, arguments: [String], input: String, folder: URL, outputPath: String?,
            environment: [String: String]
        ) throws {
            self.folder = folder
            let names = ["input", "output", "errors"].map { folder.appendingPathComponent($0) }
            try Data(input.utf8).write(to: names[0])
            for name in names[1...] { try Data().write(to: name) }
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = arguments
            // Tests leave the user's own cache and credentials alone.
            let own = ["XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config"].mapValues {
                folder.appendingPathComponent($0).path
            }
            process.environment = ProcessInfo.processInfo.environment
                .merging(own, uniquingKeysWith: { _, own in own })
                .merging(environment, uniquingKeysWith: { _, given in given })
            process.standardInput = try FileHandle(forReadingFrom: names[0])
            process.standardOutput = try FileHandle(
                forWritingTo: outputPath.map { URL(fileURLWithPath: $0) } ?? names[1])
            process.standardError = try FileHandle(forWritingTo: names[2])
            try process.run()
        }

        func text(_ name: String) -> String {
            let data = FileManager.default.contents(atPath: folder.appendingPathComponent(name).path) ?? Data()
            return String(decoding: data, as: UTF8.self)
        }

        /// Waits until a coordinator says where workers join, and returns it: HOST:PORT.
        func joinAddress() async throws -> String {
            var address = ""
            try await waitUntil("the coordinator listens") {
                let words = text("errors").split(whereSeparator: { $0 == " " || $0 == "\n" })
                guard let index = words.firstIndex(of: "--join"), index + 1 < words.count else { return false }
                address = String(words[index + 1])
                return true
            }
            return address
        }

        func outcome() async throws -> Outcome {
            let deadline = ContinuousClock.now.advanced(by: .seconds(120))
            while process.isRunning {
                guard ContinuousClock.now < deadline else {
                    kill(process.processIdentifier, SIGKILL)
                    throw Failure(description: "the program did not end:\n\(text("errors"))")
                }
                try await Task.sleep(for: .milliseconds(10))
            }
            return Outcome(
                status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
                output: text("output"), errors: text("errors"))
        }

        func cleanUp() {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            try? FileManager.default.removeItem(at: folder)
        }
    }
}

/// Waits until `condition` holds.
func waitUntil(
    _ what: String, seconds: Int = 60, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw Program.Failure(description: "waited in vain: \(what)") }
        try await Task.sleep(for: .milliseconds(20))
    }
}
