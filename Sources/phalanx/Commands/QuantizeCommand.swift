import ArgumentParser
import Checkpoint
import Foundation
import Host
import Terminal

struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Turns a checkpoint into a GGUF file of another type.",
        discussion: """
            From a GGUF file all metadata come along; from a Hugging Face directory they and the tokenizer are written as \
            llama.cpp's converter writes them. llama.cpp loads the result, and weights are rounded byte for byte as \
            llama-quantize rounds them without an importance matrix. Names such as Q4_K_M stand for llama.cpp's mixtures, \
            in which some tensors get more bits; --pure gives every matrix the same type. Rows that are no whole number \
            of blocks fall back to a type with smaller ones; vectors stay as they are.

              phalanx quantize Phi-3-medium phi-3-medium-Q4_K_M.gguf --type Q4_K_M
              phalanx quantize model-F16.gguf model-Q8_0.gguf --type Q8_0

            Types: \(QuantizationArgument.allValueStrings.joined(separator: ", ")).

            The file appears when it is complete; nothing is left of one that is interrupted.
            """)

    @Argument(help: "A GGUF file, a Hugging Face directory, or \"demo\".")
    var input: String

    @Argument(help: "The GGUF file to write.")
    var output: String

    @Option(help: "What the weights become.")
    var type: QuantizationArgument

    @Flag(help: "Give every matrix the same type, the output's and all.")
    var pure = false

    @Flag(help: "Quantise what is quantised already, which loses more than starting from the original.")
    var allowRequantize = false

    @Option(name: .shortAndLong, help: "Threads to use (default: one per available processor).")
    var threads: Int?

    @Flag(help: "Replace the output if it exists.")
    var force = false

    mutating func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads must be between 1 and 1024.")
        }
        if output.isEmpty { throw ValidationError("Name a file for the output.") }
    }

    func run() throws {
        let checkpoint = try Checkpoint.open(try DemoModel.resolve(input))
        let quantizer = try CheckpointQuantizer(
            checkpoint, mix: type.mix, isPure: pure, allowsRequantizing: allowRequantize)
        let bar = ProgressBar()
        defer { bar.clear() }
        try quantizer.write(
            to: output, threadCount: threads ?? Machine.detect().usableCPUCount, replacesExisting: force
        ) { bar.show($0 < 1 ? "quantising \(output)" : "waiting for the disk", fraction: $0) }
        bar.clear()
        try Output.line(
            "\(output): \(ByteCount.text(checkpoint.weightByteCount)) of weights became "
                + "\(ByteCount.text(quantizer.weightByteCount)), \(summary(quantizer.plans))")
    }

    /// "Q4_K x 129, Q6_K x 33, F32 x 65": the tensors by type.
    private func summary(_ plans: [GGUFTensorPlan]) -> String {
        var counts: [String: Int] = [:]
        for plan in plans { counts[plan.type.name, default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) x \($0.value)" }.joined(separator: ", ")
    }
}
