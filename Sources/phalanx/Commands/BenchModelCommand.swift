import ArgumentParser
import Bench
import Checkpoint
import Host
import Inference
import Kernels
import Logging
import Terminal

struct BenchModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Measures loading, prefill and decoding of a model.",
        discussion: """
            Batches are static: --streams 1,8 measures one sequence, then eight that share every step. With --depth D each \
            of them has D positions in its KV pages already; they are computed once and copied, which is not timed. The \
            medians over the rounds are reported.

            Rounds in which other processes were busy are worth little: see OTHERS, their part of the machine.
            """)

    @Option(name: .shortAndLong, help: "A GGUF file, a Hugging Face directory, or \"demo\".")
    var model: String

    @Option(name: [.customShort("p"), .long], help: "Tokens of the prompt; 0 measures no prefill.")
    var promptTokens = 512

    @Option(name: [.customShort("n"), .long], help: "Tokens that each stream generates; 0 measures no decoding.")
    var generatedTokens = 64

    @Option(name: [.customShort("d"), .long], help: "Positions before those that each stream generates.")
    var depth = 0

    @Option(
        name: .shortAndLong,
        help: "How many sequences generate together, such as 1,4,8; one measurement each (default: 1).")
    var streams: IntegerListArgument?

    @Option(name: .shortAndLong, help: "Compute threads (default: one per available processor).")
    var threads: Int?

    @Option(help: "How keys and values are stored.")
    var kvType: KVChoice = .f16

    @Option(name: [.customShort("r"), .long], help: "Rounds of each measurement.")
    var `repeat` = 3

    @Option(help: "The most prompt tokens per step.")
    var chunk = 512

    @Option(help: "The instruction set to use (default: what PHALANX_ISA says, or the fastest).")
    var isa: ISA?

    @OptionGroup var cacheOptions: CacheOptions

    @Flag(help: "Print JSON.")
    var json = false

    mutating func validate() throws {
        if let isa, !isa.isAvailable { throw ValidationError("--isa \(isa) is not available on this machine.") }
        try BenchCommand.checking { try plan.checkNumbers() }
    }

    func run() throws {
        let checkpoint = try Checkpoint.open(try DemoModel.resolve(model))
        let bar = ProgressBar()
        let cache = cacheOptions.cache(logger: Logger(label: "bench"))
        let result = try ModelBench.run(plan, checkpoint: checkpoint, isa: isa ?? ISA.current, cache: cache) {
            bar.show($0, fraction: $1)
        }
        bar.clear()
        try json ? JSONOutput.write(result) : Output.line(Self.table(result))
    }

    private var plan: ModelBenchPlan {
        var plan = ModelBenchPlan()
        plan.promptCount = promptTokens
        plan.generatedCount = generatedTokens
        plan.depth = depth
        plan.streamCounts = streams?.values ?? [1]
        plan.threadCount = threads ?? max(1, Machine.detect().usableCPUCount)
        plan.kvType = kvType.type
        plan.repeatCount = `repeat`
        plan.chunkRowCount = chunk
        return plan
    }

    private static func table(_ result: ModelBenchResult) -> String {
        var table = Table([
            ("WHAT", .left), ("TOKENS/S", .right), ("OF LIMIT", .right), ("LIMIT", .left), ("OTHERS", .right),
        ])
        let limits = result.limits
        if let prefill = result.prefill {
            table.add([
                "prefill, \(prefill.tokenCount) tokens", Number.text(prefill.tokensPerSecond, fractionDigits: 1),
                BenchCommand.percent(prefill.fraction(of: limits)), "int8 peak", others(prefill.rounds),
            ])
        }
        for decode in result.decode {
            let streams = decode.streamCount == 1 ? "1 stream" : "\(decode.streamCount) streams"
            let depth = result.plan.depth > 0 ? " at \(result.plan.depth)" : ""
            table.add([
                "decode, \(streams)\(depth)", Number.text(decode.tokensPerSecond, fractionDigits: 1),
                BenchCommand.percent(decode.fraction(of: limits)), "read bandwidth", others(decode.rounds),
            ])
        }
        return """
            \(result.modelName): \(ByteCount.text(result.weightByteCount)) of weights, loaded in \
            \(Number.text(result.loadSeconds, fractionDigits: 2)) s; \(result.plan.threadCount) threads, \(result.isa), \
            KV in \(result.plan.kvType.name)
            this machine: reads \(Number.text(limits.readGigabytesPerSecond, fractionDigits: 1)) GB/s, multiplies \
            \(Number.text(limits.int8GigamacsPerSecond, fractionDigits: 0)) int8 GMAC/s

            \(table.text())
            """
    }

    /// What others took of the machine in the worst round.
    private static func others(_ rounds: [Measurement]) -> String {
        rounds.compactMap(\.othersFraction).max().map(BenchCommand.percent) ?? "-"
    }
}
