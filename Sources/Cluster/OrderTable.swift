import Inference

/// The dynamic programme over all orders of the workers: which of them hold the first layers, and who comes last.
///
/// Workers that may be exchanged for each other without a difference (equal in speed, memory and links) are one kind, so
/// that a set of workers is a count per kind: sixty-four equal machines are sixty-five sets. Where several solutions are
/// equally good, workers come in the given order.
struct OrderTable: PlacementSolutions {
    private let problem: PlacementProblem
    /// The workers of each kind, in the given order.
    private let kinds: [[Int]]
    /// Sets of workers are numbers in a mixed radix; the first kind is the most significant digit.
    private let strides: [Int]
    private let setCount: Int
    private let areLinksAlike: Bool
    /// 1 when all links are alike, since it does not matter then who came last.
    private let lastCount: Int
    private var values: [Double]
    private var choices: [Choice]

    private struct Choice {
        var kind: Int16 = -1
        var lastBefore: Int16 = 0
        var first: Int32 = 0
    }

    /// The most steps of the programme: about a tenth of a second.
    private static let workLimit = 50_000_000
    private static let cellLimit = 4_000_000

    /// Nil when there are too many orders.
    init?(_ problem: PlacementProblem, _ objective: PlacementProblem.Objective) {
        guard problem.workers.count <= 1024, let kinds = Self.kinds(problem) else { return nil }
        var strides = [Int](repeating: 1, count: kinds.count)
        var setCount = 1
        for kind in kinds.indices.reversed() {
            strides[kind] = setCount
            let (next, overflow) = setCount.multipliedReportingOverflow(by: kinds[kind].count + 1)
            guard !overflow, next <= Self.cellLimit else { return nil }
            setCount = next
        }
        let areLinksAlike = problem.links.special.isEmpty
        let lastCount = areLinksAlike ? 1 : kinds.count
        let layerCount = problem.layerCount
        let cellCount = Double(setCount) * Double(lastCount) * Double(layerCount + 1)
        let work = cellCount * Double(kinds.count) * Double(layerCount) / 2
        guard cellCount <= Double(Self.cellLimit), work <= Double(Self.workLimit) else { return nil }
        self.problem = problem
        self.kinds = kinds
        self.strides = strides
        self.setCount = setCount
        self.areLinksAlike = areLinksAlike
        self.lastCount = lastCount
        values = Array(repeating: .infinity, count: Int(cellCount))
        choices = Array(repeating: Choice(), count: Int(cellCount))
        fill(objective)
    }

    /// Workers that can take each other's place; nil when there are too many kinds to search.
    private static func kinds(_ problem: PlacementProblem) -> [[Int]]? {
        var kinds: [[Int]] = []
        for worker in problem.workers.indices {
            if let kind = kinds.firstIndex(where: { areAlike($0[0], worker, problem) }) {
                kinds[kind].append(worker)
            } else {
                guard kinds.count < 24 else { return nil }
                kinds.append([worker])
            }
        }
        return kinds
    }

    private static func areAlike(_ one: Int, _ other: Int, _ problem: PlacementProblem) -> Bool {
        let (left, right) = (problem.workers[one], problem.workers[other])
        guard left.memoryByteCount == right.memoryByteCount, left.bytesPerSecond == right.bytesPerSecond,
            left.multiplyAddsPerSecond == right.multiplyAddsPerSecond
        else { return false }
        return problem.links.special.isEmpty
            || problem.workers.indices.allSatisfy { third in
                third == one || third == other || problem.hop(one, third) == problem.hop(other, third)
            }
    }

    private func index(_ set: Int, _ last: Int, _ layer: Int) -> Int {
        (set * lastCount + last) * (problem.layerCount + 1) + layer
    }

    /// How many workers of a kind a set has.
    private func count(of kind: Int, in set: Int) -> Int { set / strides[kind] % (kinds[kind].count + 1) }

    private func size(of set: Int) -> Int { kinds.indices.reduce(0) { $0 + count(of: $1, in: set) } }

    private mutating func fill(_ objective: PlacementProblem.Objective) {
        let layerCount = problem.layerCount
        let times = kinds.map { kind in
            (0..<layerCount).map { first in
                (first + 1...layerCount).map { problem.seconds(worker: kind[0], first: first, end: $0) }
            }
        }
        values[index(0, 0, 0)] = 0
        for set in 1..<setCount {
            let size = size(of: set)
            guard size <= layerCount else { continue }
            // From the last kind to the first, so that of equal solutions the one in the given order stays.
            for kind in kinds.indices.reversed() where count(of: kind, in: set) > 0 {
                let before = set - strides[kind]
                let last = lastCount == 1 ? 0 : kind
                for lastBefore in 0..<(size == 1 ? 1 : lastCount) {
                    guard let hop = hop(from: lastBefore, to: kind, size: size, before: before) else { continue }
                    for first in (size - 1)..<(size == 1 ? 1 : layerCount) {
                        let value = values[index(before, lastBefore, first)]
                        guard value < .infinity else { continue }
                        for end in (first + 1)...layerCount {
                            let joined = objective.join(value, times[kind][first][end - first - 1], hop)
                            let place = index(set, last, end)
                            guard joined < values[place] else { continue }
                            values[place] = joined
                            choices[place] = Choice(
                                kind: Int16(kind), lastBefore: Int16(lastBefore), first: Int32(first))
                        }
                    }
                }
            }
        }
    }

    /// The way from the last stage of a set to one more; nil when the set has no such last stage.
    private func hop(from lastBefore: Int, to kind: Int, size: Int, before: Int) -> PlacementProblem.Hop? {
        if size == 1 { return PlacementProblem.Hop.none }
        if areLinksAlike { return problem.ordinaryHop }
        guard count(of: lastBefore, in: before) > 0 else { return nil }
        if lastBefore != kind { return problem.hop(kinds[lastBefore][0], kinds[kind][0]) }
        return kinds[kind].count > 1 ? problem.hop(kinds[kind][0], kinds[kind][1]) : nil
    }

    /// The best set of so many workers: of equally good ones that with the earliest workers.
    private func bestEnd(usedCount: Int) -> (set: Int, last: Int)? {
        var found: (set: Int, last: Int)?
        var value = Double.infinity
        for set in (1..<setCount).reversed() where size(of: set) == usedCount {
            for last in 0..<lastCount where values[index(set, last, problem.layerCount)] < value {
                value = values[index(set, last, problem.layerCount)]
                found = (set, last)
            }
        }
        return found
    }

    func best(usedCount: Int) -> Double {
        bestEnd(usedCount: usedCount).map { values[index($0.set, $0.last, problem.layerCount)] } ?? .infinity
    }

    func split(usedCount: Int) -> [PlacementProblem.Assigned]? {
        guard var (set, last) = bestEnd(usedCount: usedCount) else { return nil }
        var stages: [(kind: Int, layers: LayerRange)] = []
        var end = problem.layerCount
        while set > 0 {
            let choice = choices[index(set, last, end)]
            guard choice.kind >= 0, let layers = LayerRange(first: Int(choice.first), end: end) else { return nil }
            stages.append((Int(choice.kind), layers))
            set -= strides[Int(choice.kind)]
            last = Int(choice.lastBefore)
            end = layers.first
        }
        var next = [Int](repeating: 0, count: kinds.count)
        return stages.reversed().map { stage in
            defer { next[stage.kind] += 1 }
            return PlacementProblem.Assigned(worker: kinds[stage.kind][next[stage.kind]], layers: stage.layers)
        }
    }
}
