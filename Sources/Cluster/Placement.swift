public import Inference

/// One stage of a pipeline.
public struct StagePlacement: Hashable, Sendable {
    public let node: NodeID
    public let layers: LayerRange
    public let weightByteCount: Int
    public let kvByteCount: Int
    /// Time for the step that the placement was made for, from the worker's speed.
    public let predictedSeconds: Double

    public init(node: NodeID, layers: LayerRange, weightByteCount: Int, kvByteCount: Int, predictedSeconds: Double) {
        self.node = node
        self.layers = layers
        self.weightByteCount = weightByteCount
        self.kvByteCount = kvByteCount
        self.predictedSeconds = predictedSeconds
    }
}

/// Who holds which layers: a whole pipeline and the workers that are left over.
public struct Placement: Hashable, Sendable {
    /// In pipeline order; their layers follow each other without gap from 0 to the last.
    public let stages: [StagePlacement]
    /// Workers without layers, in the given order.
    public let spares: [NodeID]
    /// KV pages of every layer.
    public let pageCount: Int

    public init(stages: [StagePlacement], spares: [NodeID], pageCount: Int) {
        self.stages = stages
        self.spares = spares
        self.pageCount = pageCount
    }

    /// The time of the slowest stage, which bounds the tokens per second of many streams.
    public var slowestStageSeconds: Double { stages.map(\.predictedSeconds).max() ?? 0 }

    /// Steps under way that keep the slowest stage busy: about as many as it computes while one goes through all stages.
    /// More of them would only read the weights more often for the same tokens.
    public var fillingStepCount: Int {
        let slowest = slowestStageSeconds
        guard slowest > 0, slowest.isFinite else { return stages.count }
        // Half way between two counts the lower one wastes less.
        let count = (stages.reduce(0) { $0 + $1.predictedSeconds } / slowest - 0.55).rounded(.up)
        return min(max(1, Int(count)), stages.count)
    }
}

/// Why no placement exists.
public struct PlacementError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        case noWorkers
        /// The explicit split does not match the model or the workers.
        case wrongSplit
        /// Weights and KV pages are larger than the workers' memory.
        case doesNotFit
    }

    public let code: Code
    /// What was wrong, with numbers, and what to do.
    public let message: String

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// "14.2 GiB": a byte count for people.
func describeBytes(_ byteCount: Int) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var unit = 0
    var divisor = 1
    while unit + 1 < units.count, byteCount / divisor >= 1024 {
        unit += 1
        divisor *= 1024
    }
    guard unit > 0 else { return "\(byteCount) bytes" }
    let tenths = Int((Double(byteCount) / Double(divisor) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
}
