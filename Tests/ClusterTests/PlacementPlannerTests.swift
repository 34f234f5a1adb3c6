import Inference
import TestSupport
import Testing

@testable import Cluster

@Suite struct PlacementPlannerTests {
    private func workers(_ speeds: [Double], memory: [Int]? = nil) -> [WorkerCapacity] {
        speeds.enumerated().map { index, speed in
            WorkerCapacity(
                node: NodeID("w\(index)"), memoryByteCount: memory?[index] ?? 1 << 40, bytesPerSecond: speed)
        }
    }

    private func model(layers: Int, head: Int = 0, embedding: Int = 0, kv: Int = 0, tied: Bool = false)
        -> ModelFootprint
    {
        ModelFootprint(
            layerByteCounts: Array(repeating: 1000, count: layers), embeddingByteCount: embedding,
            headByteCount: head, headIsEmbedding: tied, kvBytesPerPagePerLayer: kv)
    }

    private func counts(_ placement: Placement) -> [Int] { placement.stages.map(\.layers.count) }

    @Test func `equal workers get equal parts`() throws {
        for count in 1...6 {
            let placement = try PlacementPlanner.plan(
                workers: workers(Array(repeating: 100, count: count)), model: model(layers: 6), pageCount: 1)
            #expect(placement.stages.count == count)
            #expect(placement.stages.map(\.layers.count).max() == (6 + count - 1) / count)
            #expect(placement.stages.first?.layers.first == 0 && placement.stages.last?.layers.end == 6)
            for (left, right) in zip(placement.stages, placement.stages.dropFirst()) {
                #expect(left.layers.end == right.layers.first)
            }
            #expect(placement.spares.isEmpty)
        }
    }

    @Test func `a faster worker gets more layers, and a heavy head counts`() throws {
        let uneven = try PlacementPlanner.plan(workers: workers([300, 100]), model: model(layers: 8), pageCount: 1)
        #expect(counts(uneven) == [6, 2])
        let heavy = try PlacementPlanner.plan(
            workers: workers([100, 100]), model: model(layers: 8, head: 4000), pageCount: 1)
        #expect(counts(heavy) == [6, 2] && heavy.stages.map(\.predictedSeconds) == [60, 60])
    }

    @Test func `more workers than layers leave the slowest as spares`() throws {
        let placement = try PlacementPlanner.plan(
            workers: workers([100, 10, 100, 50]), model: model(layers: 3), pageCount: 1)
        #expect(counts(placement) == [1, 1, 1])
        #expect(placement.spares == [NodeID("w1")])
    }

    @Test func `every worker is used unless the fastest plan is asked for`() throws {
        let all = try PlacementPlanner.plan(workers: workers([100, 100, 1]), model: model(layers: 4), pageCount: 1)
        #expect(all.stages.count == 3)
        let fastest = try PlacementPlanner.plan(
            workers: workers([100, 100, 1]), model: model(layers: 4), pageCount: 1, usage: .fastest)
        #expect(counts(fastest) == [2, 2])
        #expect(fastest.spares == [NodeID("w2")])
    }

    @Test func `memory bounds the layers of a worker, and one too small for a layer is a spare`() throws {
        let tight = try PlacementPlanner.plan(
            workers: workers([100, 100], memory: [2500, 100_000]), model: model(layers: 8, kv: 10), pageCount: 2)
        #expect(counts(tight) == [2, 6])
        let tiny = try PlacementPlanner.plan(
            workers: workers([100, 100, 100], memory: [100_000, 500, 100_000]), model: model(layers: 8), pageCount: 0)
        #expect(counts(tiny) == [4, 4])
        #expect(tiny.spares == [NodeID("w1")])
    }

    @Test func `a tied head is held once by a single worker and twice by two`() throws {
        let tied = model(layers: 2, head: 5000, embedding: 5000, tied: true)
        let one = try PlacementPlanner.plan(workers: workers([1], memory: [7000]), model: tied, pageCount: 0)
        #expect(one.stages.map(\.weightByteCount) == [7000])
        #expect(throws: PlacementError.self) {
            try PlacementPlanner.plan(workers: workers([1, 1], memory: [5999, 6000]), model: tied, pageCount: 0)
        }
        let two = try PlacementPlanner.plan(workers: workers([1, 1], memory: [6000, 6000]), model: tied, pageCount: 0)
        #expect(two.stages.map(\.weightByteCount) == [6000, 6000])
    }

    @Test func `what does not fit is refused with the numbers and the cure`() throws {
        let large = ModelFootprint(
            layerByteCounts: Array(repeating: 1 << 30, count: 8), embeddingByteCount: 0, headByteCount: 0,
            kvBytesPerPagePerLayer: 1 << 20)
        let offered = workers([1, 1], memory: [5 << 30, 5 << 30])
        let error = #expect(throws: PlacementError.self) {
            try PlacementPlanner.plan(workers: offered, model: large, pageCount: 1000)
        }
        let message = error?.message ?? ""
        #expect(error?.code == .doesNotFit)
        #expect(message.contains("8.0 GiB for weights"))
        #expect(message.contains("7.8 GiB for the KV pages of a context of 64000 tokens"))
        #expect(message.contains("10.0 GiB"))
        // 4 layers per worker leave 1 GiB: 256 pages of 4 MiB.
        #expect(message.contains("--ctx-size 16384"))
        _ = try PlacementPlanner.plan(workers: offered, model: large, pageCount: 256)
        #expect(throws: PlacementError.self) {
            try PlacementPlanner.plan(workers: offered, model: large, pageCount: 257)
        }
        let none = #expect(throws: PlacementError.self) {
            try PlacementPlanner.plan(workers: workers([1], memory: [1000]), model: large, pageCount: 1)
        }
        #expect(none?.message.contains("add memory or workers") == true)
    }

    @Test func `an explicit split is taken as it is or refused`() throws {
        let three = workers([1, 100, 1])
        let placement = try PlacementPlanner.plan(
            workers: three, model: model(layers: 6), pageCount: 1, layerCounts: [3, 1, 2])
        #expect(counts(placement) == [3, 1, 2])
        #expect(placement.stages.map(\.node) == three.map(\.node))
        let part = try PlacementPlanner.plan(
            workers: three, model: model(layers: 6), pageCount: 1, layerCounts: [4, 2])
        #expect(part.spares == [NodeID("w2")])
        for wrong in [[], [6, 0], [3, 2], [1, 2, 4], [2, 2, 1, 1], [-1, 7], [Int.max, Int.max]] {
            let error = #expect(throws: PlacementError.self) {
                try PlacementPlanner.plan(workers: three, model: model(layers: 6), pageCount: 1, layerCounts: wrong)
            }
            #expect(error?.code == .wrongSplit)
        }
        let small = workers([1, 1], memory: [1500, 100_000])
        let error = #expect(throws: PlacementError.self) {
            try PlacementPlanner.plan(workers: small, model: model(layers: 4), pageCount: 0, layerCounts: [2, 2])
        }
        #expect(error?.code == .doesNotFit)
        #expect(error?.message.contains("w0") == true)
    }

    @Test func `the order of the workers is chosen, too`() throws {
        // Only the second worker has room for the embedding, and it is listed last.
        let placement = try PlacementPlanner.plan(
            workers: workers([100, 100], memory: [4000, 9000]), model: model(layers: 6, embedding: 5000), pageCount: 0)
        #expect(placement.stages.map(\.node) == [NodeID("w1"), NodeID("w0")])
        // The head goes to the fast one, which leaves it no fewer layers than before.
        let head = try PlacementPlanner.plan(
            workers: workers([300, 100]), model: model(layers: 4, head: 5000), pageCount: 0)
        #expect(head.stages.map(\.node) == [NodeID("w1"), NodeID("w0")] && counts(head) == [2, 2])
        // Of equal ones the given order.
        let equal = try PlacementPlanner.plan(
            workers: workers([100, 100, 100]), model: model(layers: 6), pageCount: 0)
        #expect(equal.stages.map(\.node.rawValue) == ["w0", "w1", "w2"])
    }

    @Test func `a slow link is not put into the pipeline when there is a way around it`() throws {
        let model = ModelFootprint(
            layerByteCounts: Array(repeating: 1000, count: 6), embeddingByteCount: 0, headByteCount: 0,
            kvBytesPerPagePerLayer: 0, rowByteCount: 1000)
        let slow = LinkSpeed(bytesPerSecond: 10, delaySeconds: 0)
        let fast = LinkSpeed(bytesPerSecond: 1e6, delaySeconds: 0)
        let links = ClusterLinks(
            ordinary: fast, special: [ClusterLinks.Pair(NodeID("w0"), NodeID("w1")): slow])
        let three = try PlacementPlanner.plan(
            workers: workers([100, 100, 100]), model: model, pageCount: 0, links: links)
        #expect(three.stages.map(\.node.rawValue) == ["w0", "w2", "w1"])
        // Two such workers are better off apart.
        let two = try PlacementPlanner.plan(
            workers: workers([100, 100]), model: model, pageCount: 0, usage: .fastest, links: links)
        #expect(two.stages.count == 1)
    }

    @Test func `keys and values and many rows count as time`() throws {
        let model = ModelFootprint(
            layerByteCounts: [1000, 1000, 1000, 1000], embeddingByteCount: 0, headByteCount: 2000,
            kvBytesPerPagePerLayer: 64_000, layerMultiplyAddCount: 500, headMultiplyAddCount: 0)
        let slowly = WorkerCapacity(
            node: NodeID("a"), memoryByteCount: 1 << 40, bytesPerSecond: 1000, multiplyAddsPerSecond: 1000)
        let quickly = WorkerCapacity(
            node: NodeID("b"), memoryByteCount: 1 << 40, bytesPerSecond: 1000, multiplyAddsPerSecond: 3000)
        func plan(_ load: StepLoad) throws -> Placement {
            try PlacementPlanner.plan(workers: [slowly, quickly], model: model, pageCount: 1, load: load)
        }
        // By bytes of weights alone the head is worth two layers.
        #expect(counts(try plan(.decode(sequenceCount: 1, depth: 0))) == [3, 1])
        // Far into the context it is worth little beside the keys and values of a layer (10 positions of 1000 bytes).
        let deep = try plan(.decode(sequenceCount: 1, depth: 10))
        #expect(counts(deep) == [2, 2])
        #expect(deep.stages.map(\.predictedSeconds) == [22, 24])
        // A chunk is as slow as its products: 100 rows x 500 / 1000 and / 3000 per layer.
        let chunk = try plan(StepLoad(rowCount: 100, outputRowCount: 0, kvPositionCount: 0))
        #expect(counts(chunk) == [1, 3] && chunk.stages.map(\.predictedSeconds) == [50, 50])
    }

    @Test(arguments: 0..<80)
    func `no other split or order has a faster slowest stage`(seed: UInt64) throws {
        let toy = ToyCluster(seed: seed)
        let all = toy.allSplits()
        let usedCount = all.map(\.count).max()
        for usage in [PlacementPlanner.Usage.asManyAsPossible, .fastest] {
            let best = all.filter { usage == .fastest || $0.count == usedCount }.map(toy.slowest).min()
            let found = try? toy.plan(usage)
            #expect(found.map { toy.slowest(toy.split($0)) } == best, "seed \(seed)")
            if usage == .asManyAsPossible { #expect(found?.stages.count == usedCount, "seed \(seed)") }
            #expect(found == (try? toy.plan(usage)), "seed \(seed)")
        }
    }

    @Test(arguments: 0..<40)
    func `the search for large clusters finds what fits, and never less than the given order has`(seed: UInt64) throws {
        let toy = ToyCluster(seed: seed)
        let problem = toy.problem
        let bounded = BoundedSearch(problem, .slowest)
        for usedCount in 1...problem.usedMaximum {
            let inOrder = toy.allSplits(isOrdered: true).filter { $0.count == usedCount }.map(toy.slowest).min()
            let every = toy.allSplits().filter { $0.count == usedCount }.map(toy.slowest).min()
            guard let split = bounded.split(usedCount: usedCount) else {
                #expect(inOrder == nil, "seed \(seed)")
                continue
            }
            let value = problem.value(of: split, .slowest)
            #expect(value >= every ?? .infinity, "seed \(seed): it claims what cannot be")
            if toy.links.special.isEmpty { #expect(value <= inOrder ?? .infinity, "seed \(seed)") }
            #expect(split.count == usedCount && Set(split.map(\.worker)).count == usedCount)
        }
    }

    @Test func `memory that is left becomes pages, as many as the tightest stage can hold`() throws {
        let model = model(layers: 6, head: 500, embedding: 700, kv: 10)
        let workers = workers([100, 100, 100], memory: [4000, 2600, 3500])
        let plan = try PlacementPlanner.plan(workers: workers, model: model, pageCount: 3)
        #expect(counts(plan) == [2, 2, 2])
        func filled(_ limit: Int) -> Placement {
            PlacementPlanner.filled(plan, workers: workers, model: model, pageLimit: limit)
        }
        let most = filled(1000)
        // Left: 4000 - 2700, 2600 - 2000 and 3500 - 2500 bytes, at 20 a page.
        #expect(most.pageCount == 30)
        #expect(most.stages.map(\.kvByteCount) == [600, 600, 600])
        #expect(most.stages.map(\.layers) == plan.stages.map(\.layers))
        #expect(filled(17).pageCount == 17)
        #expect(filled(2) == plan, "never fewer than were asked for")
    }

    @Test func `a thousand workers are planned, equal or not`() throws {
        let equal = try PlacementPlanner.plan(
            workers: workers(Array(repeating: 100, count: 1024)), model: model(layers: 32), pageCount: 1)
        #expect(equal.stages.count == 32 && equal.spares.count == 992)
        let uneven = try PlacementPlanner.plan(
            workers: workers((0..<1024).map { Double(100 + $0 * 37 % 1000) }), model: model(layers: 32), pageCount: 1)
        // One layer each, on the 32 fastest.
        #expect(uneven.stages.count == 32 && uneven.slowestStageSeconds < 1000.0 / 1060)
    }
}
