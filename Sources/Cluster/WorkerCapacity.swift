public import Inference

/// What a worker offers to the pipeline.
public struct WorkerCapacity: Hashable, Sendable {
    public let node: NodeID
    /// The most bytes for weights and KV pages.
    public let memoryByteCount: Int
    /// Bytes of weights that it computes with per second, one row at a time.
    public let bytesPerSecond: Double
    /// Multiply-adds with quantised weights per second, many rows at a time; nil when nobody measured them.
    public let multiplyAddsPerSecond: Double?

    public init(
        node: NodeID, memoryByteCount: Int, bytesPerSecond: Double, multiplyAddsPerSecond: Double? = nil
    ) {
        self.node = node
        self.memoryByteCount = memoryByteCount
        self.bytesPerSecond = bytesPerSecond
        self.multiplyAddsPerSecond = multiplyAddsPerSecond
    }
}
