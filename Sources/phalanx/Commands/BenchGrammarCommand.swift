import ArgumentParser
import Bench
import Checkpoint
import Terminal
import Tokenization

struct BenchGrammarCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grammar",
        abstract: "Measures how long a grammar takes per token.",
        discussion: """
            For usual schemas, one after another: compiling, and then, per token, finding out which tokens of the \
            vocabulary may come next, and the step by the token that came; medians and worst cases. Answers are drawn at \
            random from what may come. A file with a vocabulary alone will do.

              phalanx bench grammar --model phi-3-mini-Q4_0.gguf
            """)

    @Option(name: .shortAndLong, help: "A GGUF file, a Hugging Face directory, or \"demo\".")
    var model = "demo"

    @Option(help: "Answers per grammar, of at most 256 tokens each.")
    var answers = 40

    mutating func validate() throws {
        guard (1...10_000).contains(answers) else { throw ValidationError("--answers must be 1 to 10000") }
    }

    func run() throws {
        let definition = try Checkpoint.open(try DemoModel.resolve(model)).tokenizerDefinition()
        let bench = try GrammarBench(definition, answerCount: answers)
        var table = Table([
            ("GRAMMAR", .left), ("TOKENS", .right), ("PREPARED", .right), ("MEDIAN", .right), ("P99", .right),
            ("MOST", .right), ("FIRST ANSWER", .right), ("ITS MOST", .right),
        ])
        let bar = ProgressBar()
        for (index, (name, gbnf)) in GrammarBench.grammars.enumerated() {
            bar.show(name, fraction: Double(index) / Double(GrammarBench.grammars.count))
            let found = try bench.measure(name, gbnf)
            table.add(
                [
                    found.name, "\(found.tokenCount)",
                    Number.text(found.preparationMilliseconds, fractionDigits: 1) + " ms",
                ]
                    + [
                        found.medianMicroseconds, found.p99Microseconds, found.mostMicroseconds,
                        found.firstMedianMicroseconds, found.firstMostMicroseconds,
                    ].map { Number.text($0, fractionDigits: 1) + " us" })
        }
        bar.clear()
        try Output.line("vocabulary of \(definition.vocabularySize) tokens\n\n\(table.text())")
    }
}
