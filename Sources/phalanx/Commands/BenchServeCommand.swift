import ArgumentParser
import Bench
import Foundation
import Terminal

struct BenchServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Puts a load on a server with OpenAI's API and measures its answers.",
        discussion: """
            The server is ours or any other that has /v1/completions, such as llama-server or vLLM. Requests are streamed; \
            their prompts are random token ids, so that nothing is cached unless --shared-prefix says so.

              phalanx up --model phi-3-mini-Q4_0.gguf --workers 2
              phalanx bench serve --concurrency 8 --requests 32 --prompt-tokens 256 --max-tokens 64
              phalanx bench serve --url http://10.0.0.1:8080 --rate 0.5 --requests 100 --json

            TIME TO FIRST TOKEN counts from sending the request. TIME PER TOKEN is that of an answer after its first token, \
            divided by its tokens. A GAP lies between one piece of an answer and the next, which is what a reader \
            sees of an uneven pace. The exit status is 1 when a request failed.
            """)

    @Option(help: "The server's address.")
    var url = "http://127.0.0.1:8080"

    @Option(name: .shortAndLong, help: "The model to ask for (default: the first that the server lists).")
    var model: String?

    @Option(name: .shortAndLong, help: "The most requests under way at the same time.")
    var concurrency = 8

    @Option(help: "Requests to measure (default: twice --concurrency).")
    var requests: Int?

    @Option(name: [.customShort("p"), .long], help: "Tokens of each prompt.")
    var promptTokens = 256

    @Option(name: [.customShort("n"), .long], help: "Tokens of each answer, whatever the model would end at.")
    var maxTokens = 64

    @Option(help: "Requests per second, at random instants (default: one whenever another ends).")
    var rate: Double?

    @Option(help: "The same seed makes the same prompts and instants.")
    var seed: UInt64 = 0

    @Option(help: "Requests before those that are measured.")
    var warmup = 1

    @Option(help: "Tokens that all prompts begin with alike.")
    var sharedPrefix = 0

    @Flag(help: "Send prompts as text, for servers that take no token ids; their lengths are about right.")
    var text = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var key: KeyOptions

    mutating func validate() throws { try BenchCommand.checking { try plan.check() } }

    func run() async throws {
        let result = try await LoadGenerator.run(plan, url: url, key: try key.key(), model: model, bar: ProgressBar())
        try json ? JSONOutput.write(result) : Output.line(Self.text(result))
        if result.failureCount > 0 {
            let most = result.failures.max { $0.value < $1.value }
            throw CommandError(
                "\(result.failureCount) of \(plan.requestCount) requests failed: \(most?.key ?? "")"
                    + (result.failures.count > 1 ? " (and for other reasons)" : ""))
        }
    }

    private var plan: LoadPlan {
        var plan = LoadPlan()
        plan.concurrency = concurrency
        // What is no possible concurrency is refused as such, not for what follows from it.
        plan.requestCount = requests ?? 2 * min(max(concurrency, 1), LoadPlan.maxConcurrency)
        plan.warmupCount = warmup
        plan.promptTokenCount = promptTokens
        plan.sharedPrefixTokenCount = sharedPrefix
        plan.outputTokenCount = maxTokens
        plan.requestsPerSecond = rate
        plan.sendsText = text
        plan.seed = seed
        return plan
    }

    private static func text(_ result: LoadResult) -> String {
        var rates = Table([("PER SECOND", .left), ("", .right)])
        rates.add(["tokens in and out", Number.text(result.tokensPerSecond, fractionDigits: 1)])
        rates.add(["tokens out", Number.text(result.outputTokensPerSecond, fractionDigits: 1)])
        rates.add(["requests", Number.text(result.requestsPerSecond, fractionDigits: 3)])
        var times = Table([
            ("MILLISECONDS", .left), ("MEAN", .right), ("MEDIAN", .right), ("P90", .right), ("P99", .right),
            ("MAX", .right),
        ])
        for (name, distribution) in [
            ("time to first token", result.timeToFirstToken), ("time per token", result.timePerOutputToken),
            ("gap", result.gaps),
        ] {
            guard let distribution else { continue }
            let numbers = [
                distribution.mean, distribution.median, distribution.p90, distribution.p99, distribution.max,
            ]
            times.add([name] + numbers.map { Number.text($0 * 1e3, fractionDigits: 1) })
        }
        var lines = [
            "\(result.model): \(result.streams.count) requests in \(Number.text(result.seconds, fractionDigits: 1)) s, "
                + "\(result.promptTokenCount) tokens in (\(result.cachedTokenCount) cached), "
                + "\(result.outputTokenCount) out; \(result.failureCount) failed",
            "", rates.text(), "", times.text(),
        ]
        if let worst = result.worstStream {
            lines += [
                "",
                "worst stream: p99 gap \(Number.text(worst.p99 * 1e3, fractionDigits: 1)) ms, "
                    + "\(Number.text(worst.toOwnMedian, fractionDigits: 1)) times its own median, "
                    + "\(Number.text(worst.toMedian, fractionDigits: 1)) times the median of all",
            ]
        }
        if result.shortAnswerCount > 0 {
            lines += [
                "", "\(result.shortAnswerCount) answers were shorter than asked for: does the server know ignore_eos?",
            ]
        }
        return lines.joined(separator: "\n")
    }
}
