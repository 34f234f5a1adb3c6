import ArgumentParser
import Host

/// What of the machine may be used.
struct ResourceOptions: ParsableArguments {
    @Option(help: "Memory for weights and KV pages of all workers here, such as 12GiB (default: 80% of what is free).")
    var memory: ByteCountArgument?

    @Option(name: .shortAndLong, help: "Compute threads of all workers here (default: one per available processor).")
    var threads: Int?

    mutating func validate() throws {
        if let threads, threads < 1 || threads > 1024 {
            throw ValidationError("--threads must be between 1 and 1024.")
        }
    }

    /// Container limits are honoured: see `Machine`.
    func threadCount(of machine: Machine) -> Int { threads ?? max(1, machine.usableCPUCount) }

    func memoryByteCount(of machine: Machine) -> Int {
        memory?.byteCount ?? max(1 << 26, machine.availableByteCount / 10 * 8)
    }
}
