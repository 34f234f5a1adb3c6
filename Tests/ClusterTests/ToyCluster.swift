import Inference
import TestSupport

@testable import Cluster

/// A small random problem whose splits can all be tried.
struct ToyCluster {
    let workers: [WorkerCapacity]
    let model: ModelFootprint
    let links: ClusterLinks
    let pageCount: Int
    let load: StepLoad

    typealias Split = [PlacementProblem.Assigned]

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        model = ModelFootprint(
            layerByteCounts: (0..<Int.random(in: 1...6, using: &random)).map { _ in
                Int.random(in: 1...50, using: &random)
            },
            embeddingByteCount: Int.random(in: 0...60, using: &random),
            headByteCount: Int.random(in: 0...60, using: &random), headIsEmbedding: Bool.random(using: &random),
            kvBytesPerPagePerLayer: 64 * Int.random(in: 0...2, using: &random),
            layerMultiplyAddCount: Int.random(in: 0...40, using: &random), rowByteCount: 8)
        pageCount = Int.random(in: 0...1, using: &random)
        load = .decode(
            sequenceCount: Int.random(in: 1...3, using: &random), depth: Int.random(in: 0...3, using: &random))
        let isUniform = Bool.random(using: &random)
        workers = (0..<Int.random(in: 1...4, using: &random)).map { index in
            WorkerCapacity(
                node: NodeID("w\(index)"), memoryByteCount: isUniform ? 200 : Int.random(in: 10...400, using: &random),
                bytesPerSecond: Double(Int.random(in: 2...(isUniform ? 3 : 9), using: &random)),
                multiplyAddsPerSecond: isUniform ? nil : Double(Int.random(in: 2...9, using: &random)))
        }
        var special: [ClusterLinks.Pair: LinkSpeed] = [:]
        if Bool.random(using: &random) {
            for one in workers {
                for other in workers where one.node.rawValue < other.node.rawValue {
                    guard Bool.random(using: &random) else { continue }
                    special[ClusterLinks.Pair(one.node, other.node)] = LinkSpeed(
                        bytesPerSecond: Double.random(in: 0.5...4, using: &random), delaySeconds: 1)
                }
            }
        }
        links = ClusterLinks(ordinary: LinkSpeed(bytesPerSecond: 10, delaySeconds: 0.5), special: special)
    }

    var problem: PlacementProblem {
        PlacementProblem(workers: workers, model: model, pageCount: pageCount, links: links, load: load)
    }

    func plan(_ usage: PlacementPlanner.Usage) throws -> Placement {
        try PlacementPlanner.plan(
            workers: workers, model: model, pageCount: pageCount, usage: usage, links: links, load: load)
    }

    func split(_ placement: Placement) -> Split {
        placement.stages.compactMap { stage in
            workers.firstIndex { $0.node == stage.node }.map { .init(worker: $0, layers: stage.layers) }
        }
    }

    /// Every split that fits, in every order or in the given one, by trying them all.
    func allSplits(isOrdered: Bool = false) -> [Split] {
        func extend(_ stages: Split, _ first: Int) -> [Split] {
            if first == model.layerCount { return [stages] }
            var found: [Split] = []
            for worker in workers.indices where !stages.contains(where: { $0.worker == worker }) {
                if isOrdered, let last = stages.last, last.worker > worker { continue }
                for end in (first + 1)...model.layerCount {
                    guard let layers = LayerRange(first: first, end: end),
                        model.memoryByteCount(of: layers, pageCount: pageCount) <= workers[worker].memoryByteCount
                    else { continue }
                    found += extend(stages + [.init(worker: worker, layers: layers)], end)
                }
            }
            return found
        }
        return extend([], 0)
    }

    /// Seconds of a stage, from what the documentation says and not from the code under test.
    func stageSeconds(_ stage: PlacementProblem.Assigned) -> Double {
        let worker = workers[stage.worker]
        let isLast = stage.layers.end == model.layerCount
        let layerBytes = model.layerByteCounts[stage.layers.first..<stage.layers.end].reduce(0, +)
        let reading = Double(layerBytes + (isLast ? model.headByteCount : 0)) / worker.bytesPerSecond
        let products = Double(model.layerMultiplyAddCount * stage.layers.count * load.rowCount)
        let kv = Double(model.kvBytesPerPagePerLayer / 64 * load.kvPositionCount * stage.layers.count)
        return max(reading, worker.multiplyAddsPerSecond.map { products / $0 } ?? 0) + kv / worker.bytesPerSecond
    }

    /// Seconds of a split's slowest stage, or of its busiest link.
    func slowest(_ split: Split) -> Double {
        var slowest = split.map(stageSeconds).max() ?? 0
        for (one, other) in zip(split, split.dropFirst()) {
            let link = links.between(workers[one.worker].node, workers[other.worker].node)
            slowest = max(slowest, Double(8 * load.rowCount) / link.bytesPerSecond)
        }
        return slowest
    }

    /// Seconds of a split's stages and links one after the other.
    func sum(_ split: Split) -> Double {
        var sum = split.map(stageSeconds).reduce(0, +)
        for (one, other) in zip(split, split.dropFirst()) {
            let link = links.between(workers[one.worker].node, workers[other.worker].node)
            sum += link.delaySeconds + Double(8 * load.rowCount) / link.bytesPerSecond
        }
        return sum
    }
}
