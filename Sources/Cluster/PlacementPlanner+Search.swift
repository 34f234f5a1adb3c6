import Inference

/// The dynamic programme over (workers considered, layers placed, workers used).
extension PlacementPlanner {
    /// The best split, or nil when none fits. Two passes, since a sum cannot be minimised under a maximum in one:
    /// first the fastest possible slowest stage, then the most even split among those that reach it.
    static func search(
        _ workers: [WorkerCapacity], _ model: ModelFootprint, _ pageCount: Int, _ usage: Usage
    ) -> [Assigned]? {
        let costs = StageCosts(workers, model, pageCount)
        let slowest = Table(costs, bound: .infinity, join: { max($0, $1) })
        let usedMaximum = min(workers.count, model.layerCount)
        let feasible = (1...usedMaximum).filter { slowest.best(usedCount: $0) < .infinity }
        guard var usedCount = feasible.last else { return nil }
        if usage == .fastest {
            // Of equally fast ones the pipeline with most workers.
            for count in feasible.reversed() where slowest.best(usedCount: count) < slowest.best(usedCount: usedCount) {
                usedCount = count
            }
        }
        let bound = slowest.best(usedCount: usedCount)
        let even = Table(costs, bound: bound, join: { $0 + $1 * $1 })
        return even.split(usedCount: usedCount)
    }

    /// The time of every possible stage; infinite when it does not fit into the worker's memory.
    struct StageCosts {
        let workerCount: Int
        let layerCount: Int
        private let model: ModelFootprint
        private let speeds: [Double]
        private let memories: [Int]
        /// Bytes of layers 0 up to an index.
        private let layerSums: [Int]
        private let kvPerLayer: Int

        init(_ workers: [WorkerCapacity], _ model: ModelFootprint, _ pageCount: Int) {
            workerCount = workers.count
            layerCount = model.layerCount
            self.model = model
            speeds = workers.map(PlacementPlanner.speed)
            memories = workers.map(\.memoryByteCount)
            layerSums = model.layerByteCounts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
            kvPerLayer = LayerRange(first: 0, end: 1).map { model.kvByteCount(of: $0, pageCount: pageCount) } ?? 0
        }

        func seconds(worker: Int, first: Int, end: Int) -> Double {
            let isFirst = first == 0
            let isLast = end == layerCount
            let layers = layerSums[end] - layerSums[first]
            var held = Double(layers) + Double(kvPerLayer) * Double(end - first) + Double(model.workspaceByteCount)
            if isFirst { held += Double(model.embeddingByteCount) }
            if isLast && !(isFirst && model.headIsEmbedding) { held += Double(model.headByteCount) }
            guard held <= Double(memories[worker]) else { return .infinity }
            return Double(layers + (isLast ? model.headByteCount : 0)) / speeds[worker]
        }
    }

    /// `value[i][u][l]`: the least cost of placing the first `l` layers on `u` of the first `i` workers.
    private struct Table {
        private let costs: StageCosts
        private var values: [Double]
        /// The first layer of worker `i`'s stage in the best solution; nil when it has none.
        private var choices: [Int?]
        private let usedMaximum: Int

        init(_ costs: StageCosts, bound: Double, join: (Double, Double) -> Double) {
            self.costs = costs
            usedMaximum = min(costs.workerCount, costs.layerCount)
            let size = (costs.workerCount + 1) * (usedMaximum + 1) * (costs.layerCount + 1)
            values = Array(repeating: .infinity, count: size)
            choices = Array(repeating: nil, count: size)
            values[index(0, 0, 0)] = 0
            for worker in 0..<costs.workerCount {
                // Left out, unless something better comes.
                for used in 0...usedMaximum {
                    for end in 0...costs.layerCount {
                        values[index(worker + 1, used, end)] = values[index(worker, used, end)]
                    }
                }
                for end in 1...costs.layerCount {
                    for first in 0..<end {
                        let seconds = costs.seconds(worker: worker, first: first, end: end)
                        guard seconds <= bound, seconds < .infinity else { continue }
                        for used in 1...usedMaximum {
                            let before = values[index(worker, used - 1, first)]
                            guard before < .infinity else { continue }
                            let value = join(before, seconds)
                            let place = index(worker + 1, used, end)
                            guard value < values[place] else { continue }
                            values[place] = value
                            choices[place] = first
                        }
                    }
                }
            }
        }

        private func index(_ worker: Int, _ used: Int, _ layer: Int) -> Int {
            (worker * (usedMaximum + 1) + used) * (costs.layerCount + 1) + layer
        }

        func best(usedCount: Int) -> Double { values[index(costs.workerCount, usedCount, costs.layerCount)] }

        func split(usedCount: Int) -> [Assigned]? {
            guard best(usedCount: usedCount) < .infinity else { return nil }
            var stages: [Assigned] = []
            var used = usedCount
            var end = costs.layerCount
            for worker in (0..<costs.workerCount).reversed() where used > 0 {
                guard let first = choices[index(worker + 1, used, end)],
                    let layers = LayerRange(first: first, end: end)
                else { continue }
                stages.append(Assigned(worker: worker, layers: layers))
                used -= 1
                end = first
            }
            return stages.reversed()
        }
    }
}
