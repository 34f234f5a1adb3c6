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

            The split is the one of a single pipeline, which uses all workers; whether fewer would be faster is said below \
            it. Where whole pipelines side by side give more tokens per second to many streams, they are shown, too: that is \
            what a cluster builds unless --replicas says otherwise, where workers of one machine stay together. The \
            predictions are formulas; phalanx simulate plays requests through such a cluster.
            """)

    @OptionGroup var cluster: PlannedClusterOptions

    @Option(help: "How many streams at once the second prediction is for.")
    var streams = 8

    @Option(help: "Positions before the token of each stream (default: 512, or half of a shorter context).")
    var depth: Int?

    @Flag(help: "Measure this machine and print its file; --threads and --memory say what of it may be used.")
    var measure = false

    @OptionGroup var resources: ResourceOptions

    @Flag(help: "Print JSON.")
    var json = false

    mutating func validate() throws {
        if measure {
            guard cluster.isEmpty else {
                throw ValidationError("--measure stands alone, with --threads and --memory at most.")
            }
            return
        }
        try cluster.check()
        guard (1...65536).contains(streams) else { throw ValidationError("--streams must be between 1 and 65536.") }
        if let depth, depth < 0 { throw ValidationError("--depth must be at least 0.") }
        if resources.threads != nil || resources.memory != nil {
            throw ValidationError("--threads and --memory go with --measure; the file says them of each worker.")
        }
    }

    func run() throws {
        if measure { return try Output.line(measured()) }
        let specification = try cluster.specification()
        let report = try PlanReport(question(), specification)
        try json ? JSONOutput.write(report) : Output.line(report.text())
    }

    private func question() throws -> PlanReport.Question {
        let subject = try cluster.subject()
        let context = subject.contextLength
        let depth = depth ?? min(StepLoad.ordinaryDepth, context / 2)
        guard depth < context else {
            throw CommandError("--depth \(depth) leaves no token in a context of \(context)")
        }
        return PlanReport.Question(
            modelName: subject.name, model: subject.footprint, contextLength: context, kvType: cluster.kvType.type,
            streamCount: streams, depth: depth, chunkRowCount: cluster.chunkSize)
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
