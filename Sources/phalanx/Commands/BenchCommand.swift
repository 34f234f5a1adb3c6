import ArgumentParser
import Bench
import Terminal

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures speed on this machine, and holds it against what the machine can do.",
        discussion: """
            A model, in one process (the same as "phalanx bench model"):
              phalanx bench --model FILE -p 512 -n 64 --depth 1024 --streams 1,4,8,16

            Kernels one by one, and whether one row more ever costs speed:
              phalanx bench kernels --format Q4_K --rows 1,8,512
              phalanx bench cliffs --format Q4_K

            What structured answers cost per token:
              phalanx bench grammar --model FILE

            A server, ours or another with OpenAI's API, under many requests at once:
              phalanx bench serve --url http://127.0.0.1:8080 --concurrency 8 --prompt-tokens 256 --max-tokens 64

            Every speed of a model or kernel comes with the part of its limit that it reaches: decoding reads all weights and the keys and \
            values of each stream for every token, so memory bandwidth is its limit; prefill multiplies, so the int8 peak \
            is. Both limits are measured in the same run, before and after, and the larger ones count.
            """,
        subcommands: [
            BenchModelCommand.self, BenchKernelsCommand.self, BenchCliffsCommand.self, BenchServeCommand.self,
            BenchGrammarCommand.self,
        ],
        defaultSubcommand: BenchModelCommand.self)

    /// Makes an impossible number the wrong usage that it is.
    static func checking(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as BenchError {
            throw ValidationError(error.message)
        }
    }

    static func percent(_ fraction: Double) -> String { Number.text(fraction * 100, fractionDigits: 1) + "%" }
}
