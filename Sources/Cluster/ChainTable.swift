import Inference

/// The dynamic programme for one order of the workers: over workers considered, layers placed and workers used.
///
/// Links are taken for alike, since the worker before is not part of the state.
struct ChainTable: PlacementSolutions {
    private let problem: PlacementProblem
    private let order: [Int]
    /// `values[i][u][l]`: the least cost of placing the first `l` layers on `u` of the first `i` workers.
    private var values: [Double]
    /// The first layer of worker `i`'s stage in the best solution; -1 when it has none.
    private var choices: [Int32]
    private let usedMaximum: Int

    init(_ problem: PlacementProblem, order: [Int], _ objective: PlacementProblem.Objective) {
        self.problem = problem
        self.order = order
        usedMaximum = min(order.count, problem.layerCount)
        let size = (order.count + 1) * (usedMaximum + 1) * (problem.layerCount + 1)
        values = Array(repeating: .infinity, count: size)
        choices = Array(repeating: -1, count: size)
        values[index(0, 0, 0)] = 0
        for place in order.indices { consider(place, objective) }
    }

    private mutating func consider(_ place: Int, _ objective: PlacementProblem.Objective) {
        let layerCount = problem.layerCount
        // Left out, unless something better comes.
        for used in 0...usedMaximum {
            for end in 0...layerCount { values[index(place + 1, used, end)] = values[index(place, used, end)] }
        }
        let ordinaryHop = problem.ordinaryHop
        for end in 1...layerCount {
            for first in 0..<end {
                let seconds = problem.seconds(worker: order[place], first: first, end: end)
                guard seconds < .infinity else { continue }
                let hop = first == 0 ? .none : ordinaryHop
                for used in 1...min(usedMaximum, place + 1, end) {
                    let before = values[index(place, used - 1, first)]
                    guard before < .infinity else { continue }
                    let value = objective.join(before, seconds, hop)
                    let cell = index(place + 1, used, end)
                    guard value < values[cell] else { continue }
                    values[cell] = value
                    choices[cell] = Int32(first)
                }
            }
        }
    }

    private func index(_ worker: Int, _ used: Int, _ layer: Int) -> Int {
        (worker * (usedMaximum + 1) + used) * (problem.layerCount + 1) + layer
    }

    func best(usedCount: Int) -> Double {
        usedCount <= usedMaximum ? values[index(order.count, usedCount, problem.layerCount)] : .infinity
    }

    func split(usedCount: Int) -> [PlacementProblem.Assigned]? {
        guard best(usedCount: usedCount) < .infinity else { return nil }
        var stages: [PlacementProblem.Assigned] = []
        var used = usedCount
        var end = problem.layerCount
        for place in order.indices.reversed() where used > 0 {
            guard let layers = LayerRange(first: Int(choices[index(place + 1, used, end)]), end: end) else { continue }
            stages.append(PlacementProblem.Assigned(worker: order[place], layers: layers))
            used -= 1
            end = layers.first
        }
        return stages.reversed()
    }
}

/// The dynamic programme for a sequence of workers that all get layers, over the links that they really have.
struct SequenceSplit {
    let value: Double
    let split: [PlacementProblem.Assigned]

    /// Nil when the layers do not fit so. Takes stages x layers^2 / 2 steps.
    init?(_ problem: PlacementProblem, sequence: [Int], _ objective: PlacementProblem.Objective) {
        let layerCount = problem.layerCount
        guard !sequence.isEmpty, sequence.count <= layerCount else { return nil }
        var choices = [Int](repeating: -1, count: sequence.count * (layerCount + 1))
        var values = [Double](repeating: .infinity, count: layerCount + 1)
        values[0] = 0
        for (stage, worker) in sequence.enumerated() {
            let hop = stage == 0 ? PlacementProblem.Hop.none : problem.hop(sequence[stage - 1], worker)
            var next = [Double](repeating: .infinity, count: layerCount + 1)
            let isLast = stage == sequence.count - 1
            for first in 0..<layerCount where values[first] < .infinity {
                for end in (isLast ? layerCount : first + 1)...layerCount {
                    let seconds = problem.seconds(worker: worker, first: first, end: end)
                    // More layers do not fit either, but for a head that comes or goes.
                    guard seconds < .infinity else { continue }
                    let value = objective.join(values[first], seconds, hop)
                    guard value < next[end] else { continue }
                    next[end] = value
                    choices[stage * (layerCount + 1) + end] = first
                }
            }
            values = next
        }
        guard values[layerCount] < .infinity else { return nil }
        var stages: [PlacementProblem.Assigned] = []
        var end = layerCount
        for stage in sequence.indices.reversed() {
            guard let layers = LayerRange(first: choices[stage * (layerCount + 1) + end], end: end) else { return nil }
            stages.append(PlacementProblem.Assigned(worker: sequence[stage], layers: layers))
            end = layers.first
        }
        value = values[layerCount]
        split = stages.reversed()
    }
}
