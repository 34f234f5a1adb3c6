import Inference

/// Good splits where there are too many orders for `OrderTable`: the best of some orders, improved by exchanging workers.
///
/// The work is bounded by a count of steps, not by a clock, so that the same input gives the same split.
struct BoundedSearch: PlacementSolutions {
    private let problem: PlacementProblem
    private let objective: PlacementProblem.Objective
    private let tables: [ChainTable]

    /// About a tenth of a second.
    private static let improvementLimit = 50_000_000

    init(_ problem: PlacementProblem, _ objective: PlacementProblem.Objective) {
        self.problem = problem
        self.objective = objective
        let workers = problem.workers
        let given = Array(workers.indices)
        // Sorting is stable: equal workers stay in the given order.
        let fastFirst = given.sorted {
            (CostModel.speed(workers[$1]), $0) < (CostModel.speed(workers[$0]), $1)
        }
        let largeFirst = given.sorted {
            (workers[$1].memoryByteCount, $0) < (workers[$0].memoryByteCount, $1)
        }
        var orders: [[Int]] = []
        for order in [given, fastFirst, fastFirst.reversed(), largeFirst, largeFirst.reversed()]
        where !orders.contains(order) {
            orders.append(order)
        }
        tables = orders.map { ChainTable(problem, order: $0, objective) }
    }

    /// Of the orders as they are: an upper bound for `split`.
    func best(usedCount: Int) -> Double { unimproved(usedCount: usedCount)?.value ?? .infinity }

    func split(usedCount: Int) -> [PlacementProblem.Assigned]? {
        unimproved(usedCount: usedCount).map { improved($0).split }
    }

    private func unimproved(usedCount: Int) -> SequenceSplit? {
        var best: SequenceSplit?
        for table in tables {
            guard let split = table.split(usedCount: usedCount),
                let found = SequenceSplit(problem, sequence: split.map(\.worker), objective)
            else { continue }
            if best.map({ found.value < $0.value }) ?? true { best = found }
        }
        return best
    }

    /// Exchanges two stages, or a stage and a spare, as long as that helps.
    private func improved(_ start: SequenceSplit) -> SequenceSplit {
        var best = start
        var sequence = start.split.map(\.worker)
        let stepCount = max(1, sequence.count * problem.layerCount * problem.layerCount / 2)
        var attempts = Self.improvementLimit / stepCount
        let used = Set(sequence)
        var spares = problem.workers.indices.filter { !used.contains($0) }
        var isBetter = true
        while isBetter, attempts > 0 {
            isBetter = false
            for left in sequence.indices {
                for right in (left + 1)..<(sequence.count + spares.count) where attempts > 0 {
                    attempts -= 1
                    Self.exchange(left, right, &sequence, &spares)
                    if let found = SequenceSplit(problem, sequence: sequence, objective), found.value < best.value {
                        best = found
                        isBetter = true
                    } else {
                        Self.exchange(left, right, &sequence, &spares)
                    }
                }
            }
        }
        return best
    }

    private static func exchange(_ left: Int, _ right: Int, _ sequence: inout [Int], _ spares: inout [Int]) {
        if right < sequence.count {
            sequence.swapAt(left, right)
        } else {
            swap(&sequence[left], &spares[right - sequence.count])
        }
    }
}
