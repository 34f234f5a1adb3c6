import Inference
import Testing

@testable import Cluster

@Suite struct ForecastTests {
    /// 8 layers of 1000 bytes and 100 products, rows of 100 bytes.
    private let model = ModelFootprint(
        layerByteCounts: Array(repeating: 1000, count: 8), embeddingByteCount: 0, headByteCount: 0,
        kvBytesPerPagePerLayer: 640, layerMultiplyAddCount: 100, rowByteCount: 100)

    private func worker(
        _ name: String, _ speed: Double = 1000, products: Double? = nil, memory: Int = 1 << 30
    ) -> WorkerCapacity {
        WorkerCapacity(
            node: NodeID(name), memoryByteCount: memory, bytesPerSecond: speed, multiplyAddsPerSecond: products)
    }

    private func links(_ bytesPerSecond: Double, delay: Double = 0) -> ClusterLinks {
        ClusterLinks(ordinary: LinkSpeed(bytesPerSecond: bytesPerSecond, delaySeconds: delay))
    }

    private func forecast(
        _ workers: [WorkerCapacity], links: ClusterLinks, depth: Int = 0, streams: Int = 1, chunk: Int = 10
    ) throws -> Forecast {
        let placement = try PlacementPlanner.plan(workers: workers, model: model, pageCount: 1, links: links)
        return Forecaster(workers: workers, model: model, links: links, depth: depth, chunkRowCount: chunk)
            .forecast(placement, streamCount: streams)
    }

    @Test func `a single stream waits for all stages and links`() throws {
        // 4 s each, 1 s on the link and 0.5 s of delay three times.
        let found = try forecast([worker("a"), worker("b")], links: links(100, delay: 0.5))
        #expect(abs(found.singleStream.tokensPerSecond - 1 / 10.5) < 1e-12)
        #expect(abs(found.linkSeconds - 2.5) < 1e-12)
        #expect(found.singleStream.limit == .reading(NodeID("a")))
        // 10 positions of 10 bytes in 8 layers, and no link.
        let deep = try forecast([worker("a")], links: links(100, delay: 0.5), depth: 10)
        #expect(abs(deep.singleStream.tokensPerSecond - 1 / 9.8) < 1e-12)
    }

    @Test func `many streams wait for the slowest stage, link or the way`() throws {
        let two = [worker("a"), worker("b")]
        // Both stages are busy all the time: a token of all 8 streams in 2 micro-batches of 4 s.
        let full = try forecast(two, links: links(1e9), streams: 8).manyStreams
        #expect(full.microBatchCount == 2 || full.microBatchCount == 3)
        #expect(abs(full.rate.tokensPerSecond - 1) < 1e-3)
        // One way takes 8 s on stages and 100 on the link for 8 rows, which is the same in parts.
        let slowLink = try forecast(two, links: links(8), streams: 8).manyStreams
        #expect(slowLink.rate.limit == .link(NodeID("a"), NodeID("b")))
        #expect(abs(slowLink.rate.tokensPerSecond - 0.08) < 1e-3)
        // The delay is no work for the link, but everyone waits: 3 micro-batches in 8 + 300 s.
        let far = try forecast(two, links: links(1e9, delay: 100), streams: 9).manyStreams
        guard case .roundTrip(let linkSeconds) = far.rate.limit else {
            Issue.record("limited by \(far.rate.limit)")
            return
        }
        #expect(abs(linkSeconds - 300) < 1e-3)
        #expect(abs(far.rate.tokensPerSecond - 9.0 / 308) < 1e-6)
        // Products: 100 streams x 800 products / 100 a second.
        let products = try forecast([worker("a", products: 100)], links: links(1e9), streams: 100).manyStreams
        #expect(products.rate.limit == .multiplying(NodeID("a")))
        #expect(abs(products.rate.tokensPerSecond - 100.0 / 800) < 1e-3)
    }

    @Test func `prompts are predicted where the speed of multiplying is known`() throws {
        let unknown = try forecast([worker("a", products: 10), worker("b")], links: links(1e9))
        #expect(unknown.prompt == nil)
        // 10 rows x 400 products / 10 a second per stage.
        let known = try forecast([worker("a", products: 10), worker("b", products: 10)], links: links(1e9))
        #expect(abs((known.prompt?.tokensPerSecond ?? 0) - 10.0 / 400) < 1e-6)
        #expect(known.prompt?.limit == .multiplying(NodeID("a")))
    }

    private func fewer(_ workers: [WorkerCapacity], _ links: ClusterLinks) throws -> FewerMachines.Verdict {
        let load = StepLoad.decode(sequenceCount: 1, depth: 0)
        let placement = try PlacementPlanner.plan(
            workers: workers, model: model, pageCount: 1, links: links, load: load)
        let forecaster = Forecaster(workers: workers, model: model, links: links, depth: 0, chunkRowCount: 10)
        return FewerMachines(
            than: placement, workers: workers, model: model, links: links, load: load, forecaster: forecaster,
            streamCount: 4
        ).verdict
    }

    @Test func `fewer machines are faster for one stream where a link or a slow worker costs more than it brings`()
        throws
    {
        guard
            case .faster(let placement, let forecast, .links(let seconds)) = try fewer(
                [worker("a"), worker("b")], links(100, delay: 0.5))
        else {
            Issue.record("the link costs 1.5 s of 10.5")
            return
        }
        #expect(placement.stages.map(\.node) == [NodeID("a")] && abs(seconds - 1.5) < 1e-9)
        #expect(abs(forecast.singleStream.tokensPerSecond - 1.0 / 9) < 1e-9)
        guard
            case .faster(let without, _, .slowWorker(let node, let lost)) = try fewer(
                [worker("a"), worker("slow", 100), worker("b")], links(1e9))
        else {
            Issue.record("a layer takes 10 s there and 1 s elsewhere")
            return
        }
        #expect(without.stages.count == 1 && node == NodeID("slow") && lost > 8)
    }

    @Test func `fewer machines are too small, not faster or impossible`() throws {
        let small = [worker("a", memory: 9000), worker("b", memory: 9000)]
        guard case .memory = try fewer(small, links(1e9)) else {
            Issue.record("8000 bytes of weights and 5120 of keys and values fit nowhere")
            return
        }
        // The fast one cannot hold all, so that one machine would have to be the slow one.
        guard
            case .slower(let alone, let forecast) = try fewer(
                [worker("fast", 10_000, memory: 11_500), worker("slow", 1000)], links(1e9))
        else {
            Issue.record("the slow one alone takes longer")
            return
        }
        #expect(alone.stages.map(\.node) == [NodeID("slow")] && forecast.singleStream.tokensPerSecond < 0.126)
        guard case .single = try fewer([worker("a")], links(1e9)) else {
            Issue.record("one is one")
            return
        }
    }

    @Test(arguments: 0..<40)
    func `no order of fewer workers has a shorter way`(seed: UInt64) throws {
        let toy = ToyCluster(seed: seed)
        let solutions = toy.problem.solve(.sum)
        let all = toy.allSplits()
        for count in 1...toy.problem.usedMaximum {
            let best = all.filter { $0.count == count }.map(toy.sum).min()
            guard let split = solutions.split(usedCount: count) else {
                #expect(best == nil, "seed \(seed)")
                continue
            }
            #expect(abs(toy.sum(split) - (best ?? 0)) < 1e-9, "seed \(seed)")
        }
    }
}
