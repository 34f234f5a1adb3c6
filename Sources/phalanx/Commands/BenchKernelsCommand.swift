import ArgumentParser
import Bench
import Kernels
import Terminal

struct BenchKernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measures the kernels one by one.",
        discussion: """
            Weights, keys and values come from memory, as in a large model; rows of activations are in a cache if they \
            fit. The fastest of several rounds is shown, and the part that it reaches of whatever limit takes longest: \
            reading what is read, or multiplying what is multiplied.

              phalanx bench kernels --operations matrix --format Q4_K,Q6_K --rows 1,512 --isa all
            """)

    @Option(help: "\(KernelBenchPlan.Operation.allCases.map(\.rawValue).joined(separator: ",")) (default: all).")
    var operations: OperationListArgument?

    @OptionGroup var kernels: KernelOptions

    @Option(help: "Rows of activations, one measurement each (default: 1,2,4,8,16,32,128,512).")
    var rows: IntegerListArgument?

    @Option(help: "Positions that attention sees, one measurement each (default: 512,4096).")
    var depths: IntegerListArgument?

    @Option(help: "Query heads.")
    var heads = 40

    @Option(help: "Key/value heads.")
    var kvHeads = 10

    @Option(help: "Numbers per head.")
    var headSize = 128

    @Option(help: "Tokens to choose from.")
    var vocabulary = 32064

    @Flag(help: "Print JSON, an object per line.")
    var json = false

    /// Operations on the command line: "matrix,attention".
    struct OperationListArgument: ExpressibleByArgument {
        let operations: [KernelBenchPlan.Operation]

        static let allValueStrings = KernelBenchPlan.Operation.allCases.map(\.rawValue)

        init?(argument: String) {
            var operations: [KernelBenchPlan.Operation] = []
            for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
                guard let operation = KernelBenchPlan.Operation(rawValue: String(name)) else { return nil }
                operations.append(operation)
            }
            self.operations = operations
        }
    }

    mutating func validate() throws { try BenchCommand.checking { try plan.check() } }

    func run() throws {
        var table = Table([
            ("OPERATION", .left), ("FORMAT", .left), ("ROWS", .right), ("ISA", .left), ("TIME", .right),
            ("GMAC/S", .right), ("GB/S", .right), ("OF LIMIT", .right), ("LIMIT", .left),
        ])
        let bar = ProgressBar()
        try KernelBench.run(plan, progress: { bar.show($0, fraction: $1) }) { result in
            if json { return try JSONOutput.write(result) }
            table.add([
                result.operation, result.format, "\(result.rowCount)", result.isa,
                Number.text(result.seconds * 1e6, fractionDigits: 1) + " us",
                result.multiplyAddCount > 0 ? Number.text(result.gigamacsPerSecond, fractionDigits: 1) : "",
                Number.text(result.gigabytesPerSecond, fractionDigits: 1), BenchCommand.percent(result.fraction),
                result.limit.rawValue,
            ])
        }
        bar.clear()
        if !json { try Output.line(table.text()) }
    }

    private var plan: KernelBenchPlan {
        var plan = kernels.plan(formats: WeightFormat.allCases)
        if let operations { plan.operations = operations.operations }
        if let rows { plan.rowCounts = rows.values }
        if let depths { plan.depths = depths.values }
        plan.headCount = heads
        plan.keyValueHeadCount = kvHeads
        plan.headSize = headSize
        plan.vocabularySize = vocabulary
        return plan
    }
}
