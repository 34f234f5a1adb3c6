import ArgumentParser
import Bench
import Checkpoint
import Foundation
import Host
import Terminal

/// A shape on the command line: "phi-3-mini".
struct ShapeArgument: ExpressibleByArgument {
    let shape: SyntheticShape

    init?(argument: String) {
        guard let shape = SyntheticShape(rawValue: argument.lowercased()) else { return nil }
        self.shape = shape
    }

    static var allValueStrings: [String] { SyntheticShape.allCases.map(\.rawValue) }
}

struct SynthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synth",
        abstract: "Writes a GGUF file of random weights in the exact shapes of a real model.",
        discussion: """
            Speed and memory depend on shapes and types, not on what a model has learned: such a file serves to measure \
            both, here and with llama.cpp, which loads it too. What it generates means nothing.

              phalanx synth --shape phi-3-medium --type Q4_K_M -o phi-3-medium-Q4_K_M.gguf

            Shapes:
            \(SyntheticShape.allCases.map { "  \($0.rawValue): \($0.summary)" }.joined(separator: "\n"))

            The same shape, type, layers and seed give the same file on every machine. The file appears when it is \
            complete; nothing is left of one that is interrupted.
            """)

    @Option(help: "The model whose shapes the file gets.")
    var shape: ShapeArgument

    @Option(help: "How weights are stored; llama.cpp's mixtures give some tensors more bits than others.")
    var type: QuantizationArgument

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: String

    @Option(help: "What the weights are drawn with.")
    var seed: UInt64 = 0

    @Option(help: "Layers instead of the shape's own, 1 to 1024.")
    var layers: Int?

    @Option(name: .shortAndLong, help: "Threads to use (default: one per available processor).")
    var threads: Int?

    @Flag(help: "Replace the output if it exists.")
    var force = false

    mutating func validate() throws {
        if let layers, !(1...1024).contains(layers) { throw ValidationError("--layers must be between 1 and 1024.") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads must be between 1 and 1024.")
        }
        if output.isEmpty { throw ValidationError("--output must name a file.") }
    }

    func run() throws {
        let checkpoint = SyntheticCheckpoint(
            shape: shape.shape, mix: type.mix, seed: seed, layerCount: layers)
        let bar = ProgressBar()
        defer { bar.clear() }
        try checkpoint.write(
            to: output, threadCount: threads ?? Machine.detect().usableCPUCount, replacesExisting: force
        ) { bar.show($0 < 1 ? "writing \(output)" : "waiting for the disk", fraction: $0) }
        bar.clear()
        let byteCount = try MappedFile(path: output).byteCount
        try Output.line(
            "\(output): \(ByteCount.text(byteCount)), \(checkpoint.parameterCount) parameters, \(type.mix.name)")
    }
}
