import ArgumentParser
import Checkpoint
import Cluster
import Inference
import Scheduling
import Simulator
import Terminal

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Plays requests through a cluster that is described in a file, and predicts what clients would see.",
        discussion: """
            The machines' file is that of phalanx plan (see phalanx plan --help), at most \(Scenario.workerLimit) machines. The \
            scheduler and the placement are the real ones; machines, links and clients are simulated on a virtual clock, so \
            that hours pass in seconds.

              phalanx simulate --model phi-3-medium-Q4_K_M.gguf --workers cluster.json --streams 16
              phalanx simulate --shape phi-3-mini --type Q4_0 --workers cluster.json --rate 2 --prompt-tokens 100-2000
              phalanx simulate --random 1000 --seed 1

            Without --rate, --streams clients ask one request after the other. Every answer, page and step is held against \
            what the cluster promises (no token lost or doubled, nobody starves, no page leaks); a breach ends the run with \
            what it was. The same options and seed give the same run. --random plays small clusters that are drawn from the \
            seed and those after it, mostly with faults: workers that die, hang, leave and come late, links cut or slow.

            Machines are taken to reach three quarters of the speeds in the file, as whole models do.

            Busy is the part of the time with requests in which a stage computes; efficiency is the mean over the stages.
            """)

    @OptionGroup var cluster: PlannedClusterOptions

    @Option(help: "Clients that ask at once, each anew as soon as it has its answer.")
    var streams = 8

    @Option(help: "Requests per second that come at random, whatever is answered (instead of --streams).")
    var rate: Double?

    @Option(help: "How many requests are asked in all (default: four per stream).")
    var requests: Int?

    @Option(help: "Tokens of each prompt: a number, or a range such as 100-2000.")
    var promptTokens = CountRangeArgument(256...256)

    @Option(help: "Tokens of each answer: a number, or a range.")
    var answerTokens = CountRangeArgument(64...64)

    @Option(help: "Tokens with which all prompts begin alike, as with a common system prompt.")
    var sharedTokens = 0

    @Option(help: "Requests that are computed at the same time.")
    var maxRunning = 32

    @Option(help: "By how much links and machines are slower at random, in percent.")
    var jitter = 10.0

    @Option(help: "What prompts, arrivals and delays are drawn from.")
    var seed: UInt64 = 1

    @Option(help: "Play so many random clusters with faults instead of a described one; only --seed goes with it.")
    var random: Int?

    @Flag(help: "Print JSON.")
    var json = false

    mutating func validate() throws {
        if let random {
            guard (1...10_000_000).contains(random) else {
                throw ValidationError("--random must be between 1 and 10000000.")
            }
            guard cluster.isEmpty, !json else {
                throw ValidationError("--random stands alone, with --seed at most.")
            }
            return
        }
        try cluster.check()
        guard (1...Scenario.requestLimit).contains(streams) else {
            throw ValidationError("--streams must be between 1 and \(Scenario.requestLimit).")
        }
        if let rate, !(rate >= 1e-6 && rate <= 1e6) {
            throw ValidationError("--rate must be between 0.000001 and 1000000.")
        }
        guard (1...Scenario.requestLimit).contains(requestCount) else {
            throw ValidationError("--requests must be between 1 and \(Scenario.requestLimit).")
        }
        guard sharedTokens >= 0 else { throw ValidationError("--shared-tokens must be at least 0.") }
        guard (1...4096).contains(maxRunning) else {
            throw ValidationError("--max-running must be between 1 and 4096.")
        }
        guard jitter >= 0, jitter <= 1000 else { throw ValidationError("--jitter must be between 0 and 1000.") }
    }

    /// What phalanx bench finds of prompts and of 8 streams, in parts of what phalanx plan --measure finds.
    private static let speedFraction = 0.75

    private var requestCount: Int { requests ?? 4 * streams }

    func run() throws {
        if let random { return try play(random) }
        let subject = try cluster.subject()
        let scenario = try scenario(subject)
        let bar = ProgressBar()
        defer { bar.clear() }
        var simulation = Simulation(scenario)
        let report: SimulationReport
        do {
            report = try simulation.run { bar.show("simulating", fraction: $0) }
        } catch {
            throw CommandError("a promise was broken with \(error); the same options and --seed \(seed) show it again")
        }
        bar.clear()
        try json ? JSONOutput.write(report) : Output.line(report.text(modelName: subject.name))
    }

    /// Plays random clusters, one seed after the other.
    private func play(_ count: Int) throws {
        let bar = ProgressBar()
        defer { bar.clear() }
        var (requestCount, failureCount, planCount) = (0, 0, 0)
        for number in 0..<count {
            let seed = seed &+ UInt64(number)
            bar.show("simulating", detail: "seed \(seed)", fraction: Double(number) / Double(count))
            var simulation = Simulation(.random(seed: seed))
            do {
                let report = try simulation.run()
                requestCount += report.requestCount
                failureCount += report.failureCount
                planCount += report.planCount
            } catch {
                throw CommandError(
                    "a promise was broken with \(error); phalanx simulate --random 1 --seed \(seed) shows it again")
            }
        }
        bar.clear()
        try Output.line(
            "\(count) clusters with \(planCount) plans kept every promise: \(requestCount) requests got the right answer, "
                + "\(failureCount) an error after a long outage")
    }

    private func scenario(_ subject: PlannedClusterOptions.Subject) throws -> Scenario {
        let specification = try cluster.specification()
        guard specification.workers.count <= Scenario.workerLimit else {
            throw CommandError(
                "\(specification.workers.count) workers are more than the \(Scenario.workerLimit) that can be simulated"
            )
        }
        let most = promptTokens.range.upperBound + answerTokens.range.upperBound
        guard most <= subject.contextLength else {
            throw CommandError(
                "prompts and answers of up to \(most) tokens do not fit into a context of \(subject.contextLength); use "
                    + "fewer, or a larger --ctx-size")
        }
        let workers = specification.workers.map(\.capacity)
        let pageCount = KVPage.count(holding: subject.contextLength)
        // Says what is missing when the model does not fit.
        _ = try PlacementPlanner.plan(workers: workers, model: subject.footprint, pageCount: pageCount)
        return Scenario(
            workers: workers, model: subject.footprint, links: specification.links,
            scheduling: SchedulerConfiguration(
                contextLength: subject.contextLength, vocabularySize: subject.configuration.vocabularySize,
                endOfSequenceTokens: [], maxRowCount: cluster.chunkSize, runningSequenceLimit: maxRunning),
            pageCount: pageCount,
            traffic: Traffic(
                requestCount: requestCount, arrival: rate.map { .perSecond($0) } ?? .clients(streams),
                promptTokenCount: promptTokens.range, answerTokenCount: answerTokens.range,
                sharedTokenCount: sharedTokens),
            seed: seed, jitter: jitter / 100, speedFraction: Self.speedFraction)
    }
}

/// "256", or "100-2000".
struct CountRangeArgument: ExpressibleByArgument, CustomStringConvertible {
    let range: ClosedRange<Int>

    private static let limit = 1 << 20

    init(_ range: ClosedRange<Int>) { self.range = range }

    init?(argument: String) {
        let parts = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(parts.count), let first = parts[0], let last = parts[parts.count - 1],
            first >= 1, last >= first, last <= Self.limit
        else { return nil }
        range = first...last
    }

    var description: String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }

    var defaultValueDescription: String { description }
}
