public import Inference

/// What a step brings to every stage.
public struct StepLoad: Hashable, Sendable {
    /// Rows of hidden state.
    public let rowCount: Int
    /// Rows whose logits are computed, in the last stage.
    public let outputRowCount: Int
    /// Cached positions that attention reads in each layer, over all sequences.
    public let kvPositionCount: Int

    public init(rowCount: Int, outputRowCount: Int, kvPositionCount: Int) {
        precondition(rowCount >= 0 && outputRowCount >= 0 && kvPositionCount >= 0, "a count is not negative")
        self.rowCount = rowCount
        self.outputRowCount = outputRowCount
        self.kvPositionCount = kvPositionCount
    }

    /// A token each for some sequences.
    public static func decode(sequenceCount: Int, depth: Int) -> StepLoad {
        StepLoad(rowCount: sequenceCount, outputRowCount: sequenceCount, kvPositionCount: sequenceCount * depth)
    }

    /// A token of one sequence, half way through an ordinary answer or through a context that is shorter.
    public static func typical(pageCount: Int) -> StepLoad {
        .decode(sequenceCount: 1, depth: min(ordinaryDepth, pageCount * KVPage.positionCount / 2))
    }

    /// Positions before a token of an ordinary conversation.
    public static let ordinaryDepth = 512

    /// A chunk of one prompt, of which the last row gives a token.
    public static func prompt(rowCount: Int, depth: Int) -> StepLoad {
        StepLoad(rowCount: rowCount, outputRowCount: 1, kvPositionCount: depth)
    }
}

/// How long a stage takes for a step.
///
/// Weights are read once for all rows of a step, while they are multiplied with every row; the longer of the two counts,
/// since they overlap. Keys and values are read beside. The head counts where it lies, in the last stage; of the
/// embedding only a row per token is read, which is nothing.
public struct CostModel: Sendable {
    let model: ModelFootprint
    let load: StepLoad

    public init(model: ModelFootprint, load: StepLoad) {
        self.model = model
        self.load = load
    }

    /// What takes the time of a stage.
    enum Part: Hashable {
        case reading, multiplying, attending
    }

    public struct Cost: Sendable {
        let readingSeconds: Double
        /// 0 when the worker's speed is not known.
        let multiplyingSeconds: Double
        let attendingSeconds: Double

        public var seconds: Double { max(readingSeconds, multiplyingSeconds) + attendingSeconds }

        var largest: Part {
            let weights = max(readingSeconds, multiplyingSeconds)
            if attendingSeconds > weights { return .attending }
            return multiplyingSeconds > readingSeconds ? .multiplying : .reading
        }
    }

    /// - Parameters:
    ///   - weightByteCount: of the layers alone.
    ///   - isLast: whether the head is there, too.
    func cost(of worker: WorkerCapacity, layerCount: Int, weightByteCount: Int, isLast: Bool) -> Cost {
        let speed = Self.speed(worker)
        let headByteCount = isLast && load.outputRowCount > 0 ? model.headByteCount : 0
        let products = Double(model.layerMultiplyAddCount) * Double(layerCount) * Double(load.rowCount)
        let headProducts = isLast ? Double(model.headMultiplyAddCount) * Double(load.outputRowCount) : 0
        let kv =
            Double(model.kvBytesPerPagePerLayer) / Double(KVPage.positionCount) * Double(load.kvPositionCount)
            * Double(layerCount)
        return Cost(
            readingSeconds: Double(weightByteCount + headByteCount) / speed,
            multiplyingSeconds: worker.multiplyAddsPerSecond.map { (products + headProducts) / max($0, 1) } ?? 0,
            attendingSeconds: kv / speed)
    }

    public func cost(of worker: WorkerCapacity, layers: LayerRange) -> Cost {
        cost(
            of: worker, layerCount: layers.count,
            weightByteCount: model.layerByteCounts[layers.first..<layers.end].reduce(0, +),
            isLast: layers.end == model.layerCount)
    }

    /// Bytes that go from stage to stage.
    public var linkByteCount: Int { model.rowByteCount * load.rowCount }

    /// A measurement that cannot be (zero, negative, NaN) counts as very slow.
    static func speed(_ worker: WorkerCapacity) -> Double {
        worker.bytesPerSecond.isFinite && worker.bytesPerSecond > 1 ? worker.bytesPerSecond : 1
    }
}
