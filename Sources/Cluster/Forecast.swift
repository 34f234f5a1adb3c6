public import Inference

/// What a pipeline is predicted to do.
///
/// A single stream waits for every stage and every link in turn. Many streams are divided into micro-batches, at most one
/// more than there are stages; a round, in which each of them gets a token, takes as long as the slowest stage takes for all
/// micro-batches, or as one micro-batch takes for the whole way, if that is longer.
public struct Forecast: Hashable, Sendable {
    /// What takes the time.
    public enum Limit: Hashable, Sendable {
        /// The slowest stage reads its weights.
        case reading(NodeID)
        /// The slowest stage multiplies its weights with the rows of the step.
        case multiplying(NodeID)
        /// The slowest stage reads keys and values.
        case attending(NodeID)
        /// A link is taken all the time.
        case link(NodeID, NodeID)
        /// There are too few micro-batches to fill the pipeline: stages and links wait for each other.
        case roundTrip(linkSeconds: Double)
    }

    public struct Rate: Hashable, Sendable {
        public let tokensPerSecond: Double
        public let limit: Limit
    }

    public struct ManyStreams: Hashable, Sendable {
        public let streamCount: Int
        /// Groups of streams that are on their way at once.
        public let microBatchCount: Int
        public let rate: Rate
    }

    public let singleStream: Rate
    /// Time of a token of a single stream on links and on the way from and to the coordinator.
    public let linkSeconds: Double
    public let manyStreams: ManyStreams
    /// Tokens of one long prompt; nil when the speed of multiplying is not known of every stage.
    public let prompt: Rate?
}

/// Predicts what pipelines of given workers do.
public struct Forecaster: Sendable {
    private let workers: [NodeID: WorkerCapacity]
    private let model: ModelFootprint
    private let links: ClusterLinks
    private let depth: Int
    private let chunkRowCount: Int

    /// - Parameters:
    ///   - depth: positions before the token of each stream.
    ///   - chunkRowCount: prompt tokens per step.
    public init(
        workers: [WorkerCapacity], model: ModelFootprint, links: ClusterLinks, depth: Int, chunkRowCount: Int
    ) {
        self.workers = Dictionary(workers.map { ($0.node, $0) }, uniquingKeysWith: { first, _ in first })
        self.model = model
        self.links = links
        self.depth = depth
        self.chunkRowCount = chunkRowCount
    }

    /// - Parameter streamCount: at least 1.
    public func forecast(_ placement: Placement, streamCount: Int) -> Forecast {
        let single = Way(self, placement, .decode(sequenceCount: 1, depth: depth))
        let isSpeedKnown = placement.stages.allSatisfy { workers[$0.node]?.multiplyAddsPerSecond != nil }
        return Forecast(
            singleStream: Forecast.Rate(tokensPerSecond: 1 / single.seconds, limit: single.largest),
            linkSeconds: single.linkSeconds, manyStreams: manyStreams(placement, streamCount),
            prompt: isSpeedKnown ? prompt(placement) : nil)
    }

    private func manyStreams(_ placement: Placement, _ streamCount: Int) -> Forecast.ManyStreams {
        var best: Forecast.ManyStreams?
        for batchCount in 1...min(streamCount, placement.stages.count + 1) {
            let rowCount = (streamCount + batchCount - 1) / batchCount
            let way = Way(self, placement, .decode(sequenceCount: rowCount, depth: depth))
            let round = max(Double(batchCount) * way.slowestSeconds, way.seconds)
            let isFull = Double(batchCount) * way.slowestSeconds >= way.seconds
            let rate = Forecast.Rate(
                tokensPerSecond: Double(streamCount) / round,
                limit: isFull || placement.stages.count == 1
                    ? way.slowest : .roundTrip(linkSeconds: way.linkSeconds))
            if best.map({ rate.tokensPerSecond > $0.rate.tokensPerSecond }) ?? true {
                best = Forecast.ManyStreams(streamCount: streamCount, microBatchCount: batchCount, rate: rate)
            }
        }
        guard let best else { preconditionFailure("there is a stream at least") }
        return best
    }

    /// Chunks of a long prompt follow each other through the stages.
    private func prompt(_ placement: Placement) -> Forecast.Rate {
        let way = Way(self, placement, .prompt(rowCount: chunkRowCount, depth: depth))
        let inFlight = Double(placement.stages.count + 1)
        let isFull = inFlight * way.slowestSeconds >= way.seconds
        let seconds = max(way.slowestSeconds, way.seconds / inFlight)
        return Forecast.Rate(
            tokensPerSecond: Double(chunkRowCount) / seconds,
            limit: isFull || placement.stages.count == 1 ? way.slowest : .roundTrip(linkSeconds: way.linkSeconds))
    }

    /// A step on its way through all stages and back.
    private struct Way {
        /// From the coordinator through all stages and back.
        var seconds = 0.0
        var linkSeconds = 0.0
        /// Of the slowest stage, or of the link that is taken longer.
        var slowestSeconds = 0.0
        var slowest: Forecast.Limit
        /// What takes most of the whole way.
        var largest: Forecast.Limit

        init(_ forecaster: Forecaster, _ placement: Placement, _ load: StepLoad) {
            let costs = CostModel(model: forecaster.model, load: load)
            // The step to the first stage and the result of the last one are small.
            linkSeconds = 2 * forecaster.links.ordinary.delaySeconds
            slowest = .roundTrip(linkSeconds: linkSeconds)
            largest = slowest
            var previous: NodeID?
            var stageSeconds = 0.0
            var largestSeconds = 0.0
            for stage in placement.stages {
                if let previous {
                    let link = forecaster.links.between(previous, stage.node)
                    linkSeconds += link.seconds(byteCount: costs.linkByteCount)
                    let busy = link.busySeconds(byteCount: costs.linkByteCount)
                    if busy > slowestSeconds {
                        slowestSeconds = busy
                        slowest = .link(previous, stage.node)
                    }
                }
                previous = stage.node
                guard let worker = forecaster.workers[stage.node] else { continue }
                let cost = costs.cost(of: worker, layers: stage.layers)
                stageSeconds += cost.seconds
                if cost.seconds > slowestSeconds {
                    slowestSeconds = cost.seconds
                    slowest = Self.limit(cost.largest, stage.node)
                }
                if cost.seconds > largestSeconds {
                    largestSeconds = cost.seconds
                    largest = Self.limit(cost.largest, stage.node)
                }
            }
            seconds = stageSeconds + linkSeconds
            if linkSeconds > stageSeconds { largest = .roundTrip(linkSeconds: linkSeconds) }
        }

        private static func limit(_ part: CostModel.Part, _ node: NodeID) -> Forecast.Limit {
            switch part {
            case .reading: .reading(node)
            case .multiplying: .multiplying(node)
            case .attending: .attending(node)
            }
        }
    }
}
