import Cluster
import Inference
import Scheduling

extension Scenario {
    /// A small cluster with requests of all kinds, mostly with faults; every part of it is drawn from the seed.
    public static func random(seed: UInt64) -> Scenario {
        var random = SimulatedRandom(seed: seed, stream: 8)
        return random.chance(0.3) ? calm(seed: seed) : faulty(seed: seed)
    }

    /// One in which nothing goes wrong.
    static func calm(seed: UInt64) -> Scenario {
        var random = SimulatedRandom(seed: seed, stream: 6)
        let layerCount = Int.random(in: 1...12, using: &random)
        // Now and then a long one.
        let workerCount = random.chance(0.003) ? workerLimit : Int.random(in: 1...6, using: &random)
        let model = ModelFootprint(
            layerByteCounts: (0..<(workerCount == workerLimit ? 80 : layerCount)).map { _ in
                Int.random(in: 1_000_000...20_000_000, using: &random)
            },
            embeddingByteCount: 1_000_000, headByteCount: 3_000_000, kvBytesPerPagePerLayer: 10_000,
            layerMultiplyAddCount: 2_000_000, headMultiplyAddCount: 3_000_000, rowByteCount: 4096)
        let context = Int.random(in: 64...400, using: &random)
        let longest = min(context - 1, random.chance(0.5) ? 40 : context * 3 / 4)
        return Scenario(
            workers: (0..<workerCount).map { worker($0, &random) }, model: model, links: links(workerCount, &random),
            scheduling: scheduling(contextLength: context, &random),
            pageCount: KVPage.count(holding: context),
            // Few pages: sequences are put back, prefixes forgotten.
            pageLimit: KVPage.count(holding: context) + Int.random(in: 0...20, using: &random),
            traffic: Traffic(
                requestCount: Int.random(in: 1...24, using: &random),
                arrival: random.chance(0.5)
                    ? .clients(Int.random(in: 1...12, using: &random)) : .perSecond(random.fraction() * 50 + 1),
                promptTokenCount: 1...longest, answerTokenCount: 1...min(60, context - longest),
                sharedTokenCount: random.chance(0.5) ? 0 : Int.random(in: 1...longest, using: &random), isMixed: true),
            seed: seed, jitter: random.chance(0.2) ? 0 : random.fraction() * 2, speedFraction: 0.1 + random.fraction())
    }

    /// One with faults: workers that die, hang, leave, return and come late, links that are cut or slow.
    static func faulty(seed: UInt64) -> Scenario {
        var scenario = calm(seed: seed)
        var random = SimulatedRandom(seed: seed, stream: 7)
        let count = scenario.workers.count
        scenario.minimumWorkerCount = Int.random(in: 1...count, using: &random)
        var replicas = SimulatedRandom(seed: seed, stream: 10)
        scenario.replicaCount = replicas.chance(0.4) ? 1 : replicas.chance(0.5) ? nil : 2
        scenario.heartbeatMilliseconds = 250
        scenario.silenceMilliseconds = Int.random(in: 1000...5000, using: &random)
        scenario.outageMilliseconds = random.chance(0.3) ? 3000 : 30_000
        scenario.loadBytesPerSecond = 1e7 + random.fraction() * 1e9
        // Now and then so little memory that no worker can be missed.
        if random.chance(0.3) {
            let whole = scenario.model.layerByteCounts.reduce(30_000_000, +)
            let memoryByteCount = whole / count + 25_000_000
            scenario.workers = scenario.workers.map { worker in
                WorkerCapacity(
                    node: worker.node, memoryByteCount: memoryByteCount, bytesPerSecond: worker.bytesPerSecond,
                    multiplyAddsPerSecond: worker.multiplyAddsPerSecond)
            }
        }
        let horizon = 5000 + random.fraction() * 60_000
        let faultCount = Int.random(in: 1...12, using: &random)
        scenario.faults = Fault.random(
            count: faultCount, workerCount: count, horizonMilliseconds: horizon, using: &random)
        for index in 0..<count where random.chance(0.15) {
            scenario.faults.append(
                Fault(
                    kind: .kill(worker: index), beginMilliseconds: 0,
                    endMilliseconds: random.fraction() * horizon))
        }
        var poison = SimulatedRandom(seed: seed, stream: 11)
        if poison.chance(0.25) { scenario.poison = Poison(oneIn: UInt64.random(in: 200...5000, using: &poison)) }
        // Longer, so that something is under way whenever a fault comes.
        scenario.traffic.requestCount *= 2
        scenario.stepOverheadMilliseconds = 20
        return scenario
    }

    private static func worker(_ index: Int, _ random: inout SimulatedRandom) -> WorkerCapacity {
        WorkerCapacity(
            node: NodeID("w\(index)"), memoryByteCount: 1 << 30, bytesPerSecond: 1e9 * (0.5 + 4 * random.fraction()),
            multiplyAddsPerSecond: random.chance(0.2) ? nil : 1e10)
    }

    private static func links(_ workerCount: Int, _ random: inout SimulatedRandom) -> ClusterLinks {
        func speed() -> LinkSpeed {
            LinkSpeed(
                bytesPerSecond: [1e6, 1e8, 1e10].randomElement(using: &random) ?? 1e8,
                delaySeconds: random.chance(0.2) ? 0 : random.fraction() * 0.02)
        }
        var special: [ClusterLinks.Pair: LinkSpeed] = [:]
        for one in 0..<workerCount - 1 where random.chance(0.3) {
            special[ClusterLinks.Pair(NodeID("w\(one)"), NodeID("w\(one + 1)"))] = speed()
        }
        return ClusterLinks(ordinary: speed(), special: special)
    }

    private static func scheduling(
        contextLength: Int, _ random: inout SimulatedRandom
    ) -> SchedulerConfiguration {
        let chunk = [1, 7, 64, 256].randomElement(using: &random) ?? 64
        return SchedulerConfiguration(
            contextLength: contextLength, vocabularySize: 50, endOfSequenceTokens: [0],
            originalContextLength: random.chance(0.3) ? Int.random(in: 1...contextLength, using: &random) : nil,
            forcesLongRope: random.chance(0.1), maxRowCount: max(chunk, 8), prefillChunkRowCount: chunk,
            pacedChunkRowCount: random.chance(0.5) ? nil : Int.random(in: 1...chunk, using: &random),
            waitingRequestLimit: random.chance(0.3) ? Int.random(in: 0...4, using: &random) : 64,
            runningSequenceLimit: Int.random(in: 1...12, using: &random))
    }
}
