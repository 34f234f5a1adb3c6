import ArgumentParser
import Foundation
import Kernels

/// The root of the command line.
struct Phalanx: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "phalanx",
        abstract: "Serves the Phi-3 family over a cluster of ordinary CPU machines.",
        discussion: """
            On one machine, everything at once:
              phalanx up --model demo --workers 2

            Over several machines:
              phalanx cluster init
              phalanx coordinator --model /models/phi-3-medium.gguf --bind 10.0.0.1
              (umask 077; phalanx cluster invite > token)                 a token for each other machine
              phalanx worker --join 10.0.0.1:7070 --bind 10.0.0.2 --token-file token          there

            A question from the command line:
              phalanx generate --model demo --chat --prompt "What is the capital of France?"

            Exit status: 0 done, 1 failed, 2 wrong usage.
            """,
        version: "phalanx \(ProductVersion.text)",
        subcommands: [
            UpCommand.self, CoordinatorCommand.self, WorkerCommand.self, GatewayCommand.self, GenerateCommand.self,
            ChatCommand.self, StatusCommand.self, DrainCommand.self, InspectCommand.self, TokenizeCommand.self,
            BenchCommand.self,
            SynthCommand.self, QuantizeCommand.self, PlanCommand.self, SimulateCommand.self, ClusterCommand.self,
            KeysCommand.self,
        ])
}

/// The version of the product, for people.
enum ProductVersion {
    static let text = "0.1.0"
}

@main
enum Main {
    static func main() async {
        do {
            try ISA.checkEnvironment()
            var command = try Phalanx.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(report(error))
        }
    }

    /// Tells the user what went wrong and chooses the exit status.
    private static func report(_ error: any Error) -> Int32 {
        let status = Phalanx.exitCode(for: error)
        if status == .success {
            print(Phalanx.fullMessage(for: error))
            return 0
        }
        if let code = error as? ExitCode { return code.rawValue }
        if status == .validationFailure {
            complain(Phalanx.fullMessage(for: error))
            return 2
        }
        complain("error: \(error)")
        return 1
    }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}

/// A failure that the command line explains in its own words.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
