import Inference

/// Everything that a split is judged by: the time and the memory of every possible stage, and the links.
struct PlacementProblem {
    let workers: [WorkerCapacity]
    let links: ClusterLinks
    let costs: CostModel
    let layerCount: Int
    /// Bytes of layers 0 up to an index.
    private let layerSums: [Int]
    private let kvPerLayer: Int

    init(
        workers: [WorkerCapacity], model: ModelFootprint, pageCount: Int, links: ClusterLinks, load: StepLoad
    ) {
        self.workers = workers
        self.links = links
        costs = CostModel(model: model, load: load)
        layerCount = model.layerCount
        layerSums = model.layerByteCounts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        kvPerLayer = LayerRange(first: 0, end: 1).map { model.kvByteCount(of: $0, pageCount: pageCount) } ?? 0
    }

    /// The most stages that there can be.
    var usedMaximum: Int { min(workers.count, layerCount) }

    /// The time of a stage for a step; infinite when it does not fit into the worker's memory.
    func seconds(worker: Int, first: Int, end: Int) -> Double {
        let model = costs.model
        let isFirst = first == 0
        let isLast = end == layerCount
        let layers = layerSums[end] - layerSums[first]
        var held = Double(layers) + Double(kvPerLayer) * Double(end - first) + Double(model.workspaceByteCount)
        if isFirst { held += Double(model.embeddingByteCount) }
        if isLast && !(isFirst && model.headIsEmbedding) { held += Double(model.headByteCount) }
        guard held <= Double(workers[worker].memoryByteCount) else { return .infinity }
        return costs.cost(
            of: workers[worker], layerCount: end - first, weightByteCount: layers, isLast: isLast
        ).seconds
    }

    func hop(_ from: Int, _ to: Int) -> Hop { hop(links.between(workers[from].node, workers[to].node)) }

    /// A hop over the kind of link that most workers have.
    var ordinaryHop: Hop { hop(links.ordinary) }

    private func hop(_ link: LinkSpeed) -> Hop {
        Hop(
            busySeconds: link.busySeconds(byteCount: costs.linkByteCount),
            seconds: link.seconds(byteCount: costs.linkByteCount))
    }

    /// The way of a step's rows from one stage to the next.
    struct Hop: Hashable {
        /// The first stage has nothing to wait for.
        static let none = Hop(busySeconds: 0, seconds: 0)

        /// How long the link is taken.
        let busySeconds: Double
        /// How long the rows are on their way.
        let seconds: Double
    }

    /// What is minimised.
    enum Objective {
        /// The slowest stage, or the busiest link if that is slower: many streams wait for it.
        case slowest
        /// The sum of squares, among splits whose slowest part is not beyond the bound.
        case evenness(bound: Double)
        /// The sum: a single stream waits for all of it.
        case sum

        /// The cost of a pipeline and one stage more; infinite when that is none.
        @inline(__always)
        func join(_ before: Double, _ stage: Double, _ hop: Hop) -> Double {
            switch self {
            case .slowest: return max(before, stage, hop.busySeconds)
            case .evenness(let bound):
                guard stage <= bound, hop.busySeconds <= bound else { return .infinity }
                return before + stage * stage + hop.seconds * hop.seconds
            case .sum: return before + stage + hop.seconds
            }
        }
    }

    /// A stage of a solution.
    struct Assigned {
        let worker: Int
        let layers: LayerRange
    }

    /// The cost of a whole solution.
    func value(of split: [Assigned], _ objective: Objective) -> Double {
        var value = 0.0
        for (index, stage) in split.enumerated() {
            let stageSeconds = seconds(worker: stage.worker, first: stage.layers.first, end: stage.layers.end)
            let hop = index == 0 ? .none : hop(split[index - 1].worker, stage.worker)
            value = objective.join(value, stageSeconds, hop)
        }
        return value
    }

    /// The solutions for an objective, the best for each number of stages.
    ///
    /// Exact over all orders of the workers where that is not too much work; otherwise exact for some orders and
    /// improved by exchanges. Deterministic in both cases.
    func solve(_ objective: Objective) -> any PlacementSolutions {
        if let orders = OrderTable(self, objective) { return orders }
        return BoundedSearch(self, objective)
    }
}

/// The best splits by number of stages.
protocol PlacementSolutions {
    /// No less than the value of the split; infinite when there is no split over so many workers.
    func best(usedCount: Int) -> Double
    func split(usedCount: Int) -> [PlacementProblem.Assigned]?
}
