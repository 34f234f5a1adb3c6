import Inference

/// From a problem to a split.
extension PlacementPlanner {
    /// The best split, or nil when none fits. Two passes, since a sum cannot be minimised under a maximum in one:
    /// first the fastest possible slowest stage, then the most even split among those that reach it.
    static func search(_ problem: PlacementProblem, _ usage: Usage) -> [PlacementProblem.Assigned]? {
        let slowest = problem.solve(.slowest)
        let feasible = (1...problem.usedMaximum).filter { slowest.best(usedCount: $0) < .infinity }
        guard var usedCount = feasible.last else { return nil }
        if usage == .fastest {
            // Of equally fast ones the pipeline with most workers.
            for count in feasible.reversed() where slowest.best(usedCount: count) < slowest.best(usedCount: usedCount) {
                usedCount = count
            }
        }
        guard let fastest = slowest.split(usedCount: usedCount) else { return nil }
        let even = problem.solve(.evenness(bound: problem.value(of: fastest, .slowest)))
        return even.split(usedCount: usedCount) ?? fastest
    }
}
