import ArgumentParser
import Bench
import Checkpoint
import Cluster
import CoordinatorNode
import Foundation
import Host
import Inference
import Terminal
import WorkerNode

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Splits a model over machines that are described in a file, and predicts memory and speed.",
        discussion: """
            The workers need not be there. Their file is JSON:

            \(ClusterSpecification.example)

            memory: for weights and keys and values. read_gb_per_s: bytes of weights that all threads together compute \
            with per second. int8_gmac_per_s: multiply-adds per second with many rows at once; optional, without it \
            nothing is said of prompts and many streams are taken for limited by memory alone. threads: for people. \
            count: so many alike, beta-1, beta-2 and so on. link: between all workers and to the coordinator; optional, \
            as on one machine without it. links: pairs that have another link.

            On each machine, phalanx plan --measure prints the file for that machine alone.

              phalanx plan --model phi-3-medium-Q4_K_M.gguf --workers cluster.json --streams 16
              phalanx plan --shape phi-3-medium --type Q4_K_M --workers cluster.json

            The split is the one that a cluster of these workers would choose, which uses all of them; whether fewer would \
            be faster is said below it.
            """)

    @Option(name: .shortAndLong, help: "A GGUF file, a Hugging Face directory, or \"demo\".")
    var model: String?

    @Option(help: "The shape of a published model instead of a file (see phalanx synth --help); needs --type.")
    var shape: ShapeArgument?

    @Option(help: "How the weights of --shape are stored, such as Q4_K_M.")
    var type: QuantizationArgument?

    @Option(name: .shortAndLong, help: "The JSON file of the workers and links.")
    var workers: String?

    @Option(
        name: [.customShort("c"), .long],
        help: "The most tokens, prompt and answer together (default: as trained, at most 16384).")
    var ctxSize: Int?

    @Option(help: "How keys and values are stored; q8_0 takes about half the memory of f16.")
    var kvType: KVChoice = .f16

    @Option(help: "How many streams at once the second prediction is for.")
    var streams = 8

    @Option(help: "Positions before the token of each stream (default: 512, or half of a shorter context).")
    var depth: Int?

    @Option(help: "The most prompt tokens per step.")
    var chunkSize = 256

    @Flag(help: "Measure this machine and print its file; --threads and --memory say what of it may be used.")
    var measure = false

    @OptionGroup var resources: ResourceOptions

    @Flag(help: "Print JSON.")
    var json = false

    mutating func validate() throws {
        if measure {
            guard model == nil, shape == nil, workers == nil else {
                throw ValidationError("--measure stands alone, with --threads and --memory at most.")
            }
            return
        }
        guard (model == nil) != (shape == nil) else {
            throw ValidationError("Give either --model FILE or --shape NAME --type TYPE.")
        }
        guard (shape == nil) == (type == nil) else { throw ValidationError("--shape and --type belong together.") }
        guard workers != nil else { throw ValidationError("Name the file of the workers: --workers cluster.json") }
        if let ctxSize, ctxSize < 1 { throw ValidationError("--ctx-size must be at least 1.") }
        guard (1...65536).contains(streams) else { throw ValidationError("--streams must be between 1 and 65536.") }
        guard (1...4096).contains(chunkSize) else { throw ValidationError("--chunk-size must be between 1 and 4096.") }
        if let depth, depth < 0 { throw ValidationError("--depth must be at least 0.") }
        if resources.threads != nil || resources.memory != nil {
            throw ValidationError("--threads and --memory go with --measure; the file says them of each worker.")
        }
    }

    func run() throws {
        if measure { return try Output.line(measured()) }
        let specification = try ClusterSpecification(path: workers ?? "")
        let report = try PlanReport(question(), specification)
        try json ? JSONOutput.write(report) : Output.line(report.text())
    }

    private func question() throws -> PlanReport.Question {
        let (name, configuration, footprint) = try subject()
        let context = ctxSize ?? min(configuration.contextLength, CoordinatorConfiguration.defaultContextLimit)
        guard context <= configuration.contextLength else {
            throw CommandError(
                "a context of \(context) tokens was asked for, but \(name) was trained for "
                    + "\(configuration.contextLength); use --ctx-size \(configuration.contextLength) or less")
        }
        let depth = depth ?? min(StepLoad.ordinaryDepth, context / 2)
        guard depth < context else {
            throw CommandError("--depth \(depth) leaves no token in a context of \(context)")
        }
        return PlanReport.Question(
            modelName: name, model: footprint, contextLength: context, kvType: kvType.type, streamCount: streams,
            depth: depth, chunkRowCount: chunkSize)
    }

    private func subject() throws -> (String, ModelConfiguration, ModelFootprint) {
        if let shape, let type {
            let configuration = shape.shape.configuration
            return (
                "\(shape.shape.rawValue) in \(type.mix.name)", configuration,
                ModelFootprint(configuration, mix: type.mix, kvType: kvType.type, chunkRowCount: chunkSize)
            )
        }
        let checkpoint = try Checkpoint.open(try DemoModel.resolve(model ?? ""))
        guard checkpoint.hasWeights else {
            throw CommandError("\(checkpoint.path) holds a vocabulary but no weights; name a whole checkpoint")
        }
        return (
            DemoModel.alias(for: model ?? ""), checkpoint.configuration,
            ModelFootprint(checkpoint, kvType: kvType.type, chunkRowCount: chunkSize)
        )
    }

    /// The file for this machine.
    private func measured() throws -> String {
        let machine = Machine.detect()
        let threadCount = resources.threadCount(of: machine)
        let bar = ProgressBar()
        defer { bar.clear() }
        bar.show("measuring reading", fraction: 0)
        let read = try SpeedProbe.bytesPerSecond(threadCount: threadCount, processors: nil)
        bar.show("measuring multiplying", fraction: 0.5)
        let multiply = try SpeedProbe.multiplyAddsPerSecond(threadCount: threadCount, processors: nil)
        bar.clear()
        let name = String(ProcessInfo.processInfo.hostName.filter { $0 != "\"" && $0 != "\\" })
        return """
            {"workers": [{"name": "\(name)", "memory": \(resources.memoryByteCount(of: machine)), \
            "read_gb_per_s": \(Number.text(read / 1e9, fractionDigits: 2)), \
            "int8_gmac_per_s": \(Number.text(multiply / 1e9, fractionDigits: 1)), "threads": \(threadCount)}]}
            """
    }
}
