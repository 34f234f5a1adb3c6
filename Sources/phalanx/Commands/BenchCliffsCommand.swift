import ArgumentParser
import Bench
import Kernels
import Terminal

struct BenchCliffsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cliffs",
        abstract: "Looks for row counts at which one row more makes all of them slower together.",
        discussion: """
            Measures matrix products with 1, 2, 3 ... rows of activations and compares the rows per second of each count \
            with those of the count before. Weights come from memory; the fastest of several rounds counts.
            """)

    @OptionGroup var kernels: KernelOptions

    @Option(help: "The most rows.")
    var rows = 33

    @Flag(help: "Print JSON, an object per format and instruction set.")
    var json = false

    mutating func validate() throws {
        guard (2...512).contains(rows) else { throw ValidationError("--rows must be between 2 and 512.") }
        try BenchCommand.checking { try plan.check() }
    }

    func run() throws {
        let bar = ProgressBar()
        try CliffBench.run(plan, maxRowCount: rows, progress: { bar.show($0, fraction: $1) }) { result in
            bar.clear()
            if json { return try JSONOutput.write(result) }
            var table = Table([("ROWS", .right), ("ROWS/S", .right), ("TO ONE LESS", .right)])
            for (index, speed) in result.rowsPerSecond.enumerated() {
                let ratio = index > 0 ? Number.text(result.ratios[index - 1], fractionDigits: 3) : ""
                table.add(["\(index + 1)", Number.text(speed, fractionDigits: 0), ratio])
            }
            let smallest = Number.text(result.smallestRatio, fractionDigits: 3)
            try Output.line(
                "\(result.format) with \(result.isa), \(result.threads) threads: smallest ratio \(smallest)\n\n"
                    + table.text() + "\n")
        }
    }

    private var plan: KernelBenchPlan { kernels.plan(formats: [.q4K]) }
}
