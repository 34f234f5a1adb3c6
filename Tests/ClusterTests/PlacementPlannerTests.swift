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
        #expect(counts(heavy) == [6, 2])
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

    @Test(arguments: 0..<60)
    func `no other split has a faster slowest stage`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let layerCount = Int.random(in: 1...7, using: &random)
        let model = ModelFootprint(
            layerByteCounts: (0..<layerCount).map { _ in Int.random(in: 1...50, using: &random) },
            embeddingByteCount: Int.random(in: 0...60, using: &random),
            headByteCount: Int.random(in: 0...60, using: &random), headIsEmbedding: Bool.random(using: &random),
            kvBytesPerPagePerLayer: Int.random(in: 0...5, using: &random))
        let pageCount = Int.random(in: 0...5, using: &random)
        let workers = (0..<Int.random(in: 1...5, using: &random)).map { index in
            WorkerCapacity(
                node: NodeID("w\(index)"), memoryByteCount: Int.random(in: 10...250, using: &random),
                bytesPerSecond: Double(Int.random(in: 2...9, using: &random)))
        }
        let all = allSplits(workers, model, pageCount)
        let usedCount = all.map(\.stages.count).max()
        for usage in [PlacementPlanner.Usage.asManyAsPossible, .fastest] {
            let best = all.filter { usage == .fastest || $0.stages.count == usedCount }
                .map(\.slowestStageSeconds).min()
            let found = try? PlacementPlanner.plan(
                workers: workers, model: model, pageCount: pageCount, usage: usage)
            #expect(found?.slowestStageSeconds == best, "seed \(seed)")
            if usage == .asManyAsPossible { #expect(found?.stages.count == usedCount, "seed \(seed)") }
            let again = try? PlacementPlanner.plan(
                workers: workers, model: model, pageCount: pageCount, usage: usage)
            #expect(found == again, "seed \(seed)")
        }
    }

    /// Every placement that fits, by trying them all.
    private func allSplits(_ workers: [WorkerCapacity], _ model: ModelFootprint, _ pageCount: Int) -> [Placement] {
        func extend(_ stages: [StagePlacement], _ worker: Int, _ first: Int) -> [Placement] {
            if first == model.layerCount { return [Placement(stages: stages, spares: [], pageCount: pageCount)] }
            guard worker < workers.count else { return [] }
            var found = extend(stages, worker + 1, first)
            for end in (first + 1)...model.layerCount {
                guard let layers = LayerRange(first: first, end: end),
                    model.memoryByteCount(of: layers, pageCount: pageCount) <= workers[worker].memoryByteCount
                else { continue }
                let seconds = Double(model.computedByteCount(of: layers)) / workers[worker].bytesPerSecond
                let stage = StagePlacement(
                    node: workers[worker].node, layers: layers, weightByteCount: 0, kvByteCount: 0,
                    predictedSeconds: seconds)
                found += extend(stages + [stage], worker + 1, end)
            }
            return found
        }
        return extend([], 0, 0)
    }
}
