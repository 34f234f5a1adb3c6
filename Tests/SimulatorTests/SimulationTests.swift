import Cluster
import Inference
import Scheduling
import Testing

@testable import Simulator

/// Whole clusters on the virtual clock.
@Suite struct SimulationTests {
    @Test(arguments: [0.0, 0.5]) func `sixteen equal stages stay busy while 64 streams decode`(
        delayMilliseconds: Double
    ) throws {
        var simulation = Simulation(.equalStages(count: 16, streams: 64, delayMilliseconds: delayMilliseconds))
        let report = try simulation.run()
        #expect(report.efficiency >= 0.9)
        #expect(report.stages.count == 16 && report.requestCount == 64 && report.answerTokenCount == 64 * 100)
    }

    @Test(arguments: [2, 3, 16]) func `uneven stages do what is forecast for many streams`(count: Int) throws {
        var scenario = Scenario.equalStages(count: count, streams: 4 * count, delayMilliseconds: 0.5)
        // The first one is given much, since others have no memory for it.
        scenario.model = ModelFootprint(
            layerByteCounts: [400_000_000] + Array(repeating: 100_000_000, count: count - 1), embeddingByteCount: 0,
            headByteCount: 0, kvBytesPerPagePerLayer: 1000, rowByteCount: 12_288)
        var simulation = Simulation(scenario)
        let report = try simulation.run()
        let placement = try #require(simulation.coordinator.placement)
        let forecast = Forecaster(
            workers: scenario.workers, model: scenario.model, links: scenario.links, depth: 50, chunkRowCount: 256
        ).forecast(placement, streamCount: 4 * count).manyStreams
        #expect(report.tokensPerSecond > 0.85 * forecast.rate.tokensPerSecond)
    }

    @Test func `one stream alone keeps one of sixteen stages busy`() throws {
        var simulation = Simulation(.equalStages(count: 16, streams: 1, delayMilliseconds: 0))
        let report = try simulation.run()
        #expect(report.efficiency > 0.06 && report.efficiency <= 1.0 / 16)
    }

    @Test func `the same seed gives the same run, another one another`() throws {
        func report(_ seed: UInt64) throws -> SimulationReport {
            var scenario = Scenario.calm(seed: 11)
            scenario.seed = seed
            var simulation = Simulation(scenario)
            return try simulation.run()
        }
        let first = try report(1)
        #expect(try report(1) == first)
        #expect(try report(2) != first)
    }

    @Test(arguments: 0..<20) func `a random life with faults keeps every promise`(block: UInt64) {
        for seed in block * 100..<(block + 1) * 100 {
            var simulation = Simulation(.random(seed: seed))
            do {
                let report = try simulation.run()
                #expect(
                    report.requestCount + report.failureCount == simulation.scenario.traffic.requestCount,
                    "seed \(seed)")
            } catch {
                Issue.record("\(error); again with: phalanx simulate --random 1 --seed \(seed)")
            }
        }
    }

    @Test func `requests wait for workers that return, and end with an error when none does for long`() throws {
        func report(awayMilliseconds: Double) throws -> SimulationReport {
            var scenario = Scenario.equalStages(count: 2, streams: 4)
            scenario.faults = [
                Fault(kind: .kill(worker: 0), beginMilliseconds: 500, endMilliseconds: 500 + awayMilliseconds),
                Fault(kind: .stop(worker: 1), beginMilliseconds: 500, endMilliseconds: 500 + awayMilliseconds),
            ]
            var simulation = Simulation(scenario)
            return try simulation.run()
        }
        let short = try report(awayMilliseconds: 20_000)
        #expect(short.failureCount == 0 && short.requestCount == 4 && short.planCount >= 2)
        let long = try report(awayMilliseconds: 60_000)
        #expect(long.failureCount == 4 && long.requestCount == 0)
    }

    @Test func `requests that kill workers end with an error and take no other with them`() throws {
        var (failureCount, deathCount) = (0, 0)
        for seed in 0..<60 as Range<UInt64> {
            var scenario = Scenario.calm(seed: seed)
            scenario.poison = Poison(oneIn: 1000)
            scenario.replicaCount = seed.isMultiple(of: 2) ? 1 : nil
            scenario.stepOverheadMilliseconds = 20
            var simulation = Simulation(scenario)
            let report = try simulation.run()
            let statistics = simulation.ledger.statistics
            #expect(report.failureCount == statistics.poisonCount, "seed \(seed): others ended with an error")
            #expect(report.requestCount + report.failureCount == scenario.traffic.requestCount, "seed \(seed)")
            failureCount += statistics.poisonCount
            deathCount += simulation.poisonDeathCount
        }
        // Fewer deaths than three each: two may be in flight together.
        #expect(failureCount > 20 && deathCount > failureCount && deathCount <= 3 * failureCount + 20)
    }

    /// Both are needed for memory, and requests wait for them for minutes.
    private static func twoNeededWorkers() -> Scenario {
        var scenario = Scenario.equalStages(count: 2, streams: 4)
        scenario.workers = scenario.workers.map { worker in
            WorkerCapacity(
                node: worker.node, memoryByteCount: 150_000_000, bytesPerSecond: worker.bytesPerSecond,
                multiplyAddsPerSecond: worker.multiplyAddsPerSecond)
        }
        scenario.outageMilliseconds = 600_000
        return scenario
    }

    @Test func `a link that was cut for minutes is used again when it is healed`() throws {
        var scenario = Self.twoNeededWorkers()
        scenario.faults = [
            Fault(kind: .cut(.worker(0), .worker(1)), beginMilliseconds: 500, endMilliseconds: 300_500)
        ]
        var simulation = Simulation(scenario)
        let report = try simulation.run()
        #expect(report.requestCount == 4 && report.failureCount == 0 && report.planCount >= 2)
        // The longest pause is 30 s.
        #expect(report.seconds > 300 && report.seconds < 340)
    }

    @Test(arguments: [
        Fault.Kind.hang(worker: 1), .cutOneWay(from: .coordinator, to: .worker(0)),
        .cutOneWay(from: .worker(0), to: .worker(1)), .cut(.worker(0), .worker(1)), .stop(worker: 1),
        .cutOneWay(from: .worker(2), to: .coordinator), .cut(.coordinator, .worker(0)),
    ])
    func `what stands without an end is found in less than five seconds and served by others`(kind: Fault.Kind) throws {
        var scenario = Scenario.equalStages(count: 3, streams: 4)
        scenario.heartbeatMilliseconds = 250
        scenario.silenceMilliseconds = 4500
        var calm = Simulation(scenario)
        let undisturbed = try calm.run()
        scenario.faults = [Fault(kind: kind, beginMilliseconds: 500, endMilliseconds: 300_500)]
        var simulation = Simulation(scenario)
        let report = try simulation.run()
        #expect(report.requestCount == 4 && report.failureCount == 0 && report.planCount == 2)
        // Loading takes 0.15 s, and two stages a half longer than three.
        #expect(report.seconds < 1.6 * undisturbed.seconds + 5.2, "\(report.seconds), \(undisturbed.seconds)")
    }

    @Test func `a worker that hangs and is needed serves again when it goes on`() throws {
        var scenario = Self.twoNeededWorkers()
        scenario.faults = [Fault(kind: .hang(worker: 1), beginMilliseconds: 500, endMilliseconds: 120_500)]
        var simulation = Simulation(scenario)
        let report = try simulation.run()
        #expect(report.requestCount == 4 && report.failureCount == 0)
        #expect(report.seconds > 120 && report.seconds < 160)
    }

    @Test func `a wait without end is found`() throws {
        var scenario = Scenario.equalStages(count: 2, streams: 4)
        scenario.faults = [Fault(kind: .kill(worker: 0), beginMilliseconds: 500, endMilliseconds: 1000)]
        var simulation = Simulation(scenario)
        // The layers never come into memory again.
        simulation.tamper = { event in
            guard case .worker(_, _, .loaded(let epoch, _)) = event else { return true }
            return epoch.plan == 1
        }
        let failure = #expect(throws: SimulationFailure.self) { _ = try simulation.run() }
        #expect(failure?.problem.contains("nothing went forward") == true, "\(failure?.problem ?? "")")
    }

    @Test(arguments: Sabotage.allCases) func `what breaks on the way is found`(sabotage: Sabotage) throws {
        var simulation = Simulation(.equalStages(count: 2, streams: sabotage == .losesResult ? 1 : 4))
        simulation.tamper = sabotage.tamper
        let failure = #expect(throws: SimulationFailure.self) { _ = try simulation.run() }
        #expect(failure?.problem.contains(sabotage.words) == true, "\(failure?.problem ?? "")")
    }
}

/// Ways in which a cluster may break its promises.
enum Sabotage: CaseIterable {
    case doublesToken, losesResult, losesActivation, changesToken, assignsPage, skipsPosition

    /// What is said of it.
    var words: String {
        switch self {
        case .doublesToken: "instead of"
        case .losesResult: "nothing went forward"
        case .losesActivation: "comes instead of"
        case .changesToken: "other keys and values"
        case .assignsPage: "gets logical page"
        case .skipsPosition: "goes on at position"
        }
    }

    /// From step 5 on.
    func tamper(_ event: inout SimulationEvent) -> Bool {
        switch (self, event) {
        case (.doublesToken, .coordinatorHears(let stream, .result(let result))) where result.number >= 5:
            let slices = result.slices.map { slice in
                SliceResult(
                    sequence: slice.sequence, sampled: ScoredToken(token: 1, logprob: 0, top: []),
                    firstPromptPosition: 0, promptTokens: [])
            }
            let changed = StepResult(epoch: result.epoch, number: result.number, slices: slices)
            event = .coordinatorHears(stream, .result(changed))
        case (.losesResult, .coordinatorHears(_, .result(let result))): return result.number != 5
        case (.losesActivation, .worker(_, _, .activation(let activation))): return activation.step.number != 5
        case (.changesToken, .worker(let index, let process, .activation(let activation))):
            let step = changed(activation.step) { $0.changed(tokens: $0.tokens.map { $0 ^ 1 }) }
            event = .worker(
                index, process: process,
                .activation(SimulatedActivation(step: step, digest: activation.digest)))
        case (.assignsPage, .worker(let index, let process, .hears(let stream, .step(let step)))):
            let step = changed(step) { slice in
                slice.changed(pages: [PageAssignment(firstLogicalPage: 0, pages: [PageID(0)])])
            }
            event = .worker(index, process: process, .hears(stream, .step(step)))
        case (.skipsPosition, .worker(let index, let process, .hears(let stream, .step(let step)))):
            let step = changed(step) { $0.changed(firstPosition: $0.firstPosition + 1) }
            event = .worker(index, process: process, .hears(stream, .step(step)))
        default: break
        }
        return true
    }

    private func changed(_ step: Step, _ change: (Slice) -> Slice) -> Step {
        guard step.number >= 8 else { return step }
        return Step(
            epoch: step.epoch, number: step.number, admissions: step.admissions, slices: step.slices.map(change),
            retired: step.retired)
    }
}

extension Slice {
    fileprivate func changed(
        firstPosition: Int? = nil, tokens: [Int32]? = nil, pages: [PageAssignment]? = nil
    ) -> Slice {
        Slice(
            sequence: sequence, firstPosition: firstPosition ?? self.firstPosition, tokens: tokens ?? self.tokens,
            regime: regime, outputs: outputs, pages: pages ?? self.pages)
    }
}

extension Scenario {
    /// Stages of 10 GB/s with a layer each that takes 10 ms; prompts of one token.
    static func equalStages(count: Int, streams: Int, delayMilliseconds: Double = 0) -> Scenario {
        let model = ModelFootprint(
            layerByteCounts: Array(repeating: 100_000_000, count: count), embeddingByteCount: 0, headByteCount: 0,
            kvBytesPerPagePerLayer: 1000, rowByteCount: 12_288)
        let workers = (0..<count).map {
            WorkerCapacity(
                node: NodeID("w\($0)"), memoryByteCount: 1 << 34, bytesPerSecond: 1e10, multiplyAddsPerSecond: 1e12)
        }
        return Scenario(
            workers: workers, model: model,
            links: ClusterLinks(
                ordinary: LinkSpeed(bytesPerSecond: 1.25e8, delaySeconds: delayMilliseconds / 1000)),
            scheduling: SchedulerConfiguration(
                contextLength: 1024, vocabularySize: 1000, endOfSequenceTokens: [], maxRowCount: 256,
                runningSequenceLimit: streams),
            pageCount: 16,
            traffic: Traffic(
                requestCount: streams, arrival: .clients(streams), promptTokenCount: 1...1,
                answerTokenCount: 100...100),
            seed: 1, jitter: 0)
    }
}
