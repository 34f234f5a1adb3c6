public import ArgumentParser
public import Kernels

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures speed on this machine, and holds it against what the machine can do.",
        discussion: """
            A model, in one process (the same as "phalanx bench model"):
              phalanx bench --model FILE -p 512 -n 64 --depth 1024 --streams 1,4,8,16

            Every speed comes with the part of its limit that it reaches: decoding reads all weights and the keys and \
            values of each stream for every token, so memory bandwidth is its limit; prefill multiplies, so the int8 peak \
            is. Both limits are measured in the same run, before and after, and the larger ones count.
            """,
        subcommands: [BenchModelCommand.self], defaultSubcommand: BenchModelCommand.self)
}

/// Which kernels run.
struct ISAOptions: ParsableArguments {
    @Option(
        help: """
            The instruction set to use: \(ISA.allCases.filter(\.isAvailable).map(\.rawValue).joined(separator: ", ")) here \
            (default: what PHALANX_ISA says, or the fastest).
            """)
    var isa: ISA?

    mutating func validate() throws {
        if let isa, !isa.isAvailable { throw ValidationError("--isa \(isa) is not available on this machine.") }
    }

    var chosen: ISA { isa ?? ISA.current }
}

extension ISA: ExpressibleByArgument {}
