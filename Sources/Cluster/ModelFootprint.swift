public import Inference

/// What a worker offers to the pipeline.
public struct WorkerCapacity: Hashable, Sendable {
    public let node: NodeID
    /// The most bytes for weights and KV pages.
    public let memoryByteCount: Int
    /// Bytes of weights that it computes with per second.
    public let bytesPerSecond: Double

    public init(node: NodeID, memoryByteCount: Int, bytesPerSecond: Double) {
        self.node = node
        self.memoryByteCount = memoryByteCount
        self.bytesPerSecond = bytesPerSecond
    }
}

/// What a model costs, layer by layer.
public struct ModelFootprint: Hashable, Sendable {
    /// Bytes of the weights of each decoder layer.
    public let layerByteCounts: [Int]
    /// Bytes of the token embedding, which the first stage holds.
    public let embeddingByteCount: Int
    /// Bytes of the final norm and the head, which the last stage holds and computes with.
    public let headByteCount: Int
    /// Whether the head is the embedding: a stage that is first and last holds it once.
    public let headIsEmbedding: Bool
    /// Bytes of keys and values of one KV page in one layer.
    public let kvBytesPerPagePerLayer: Int
    /// Bytes that every stage needs besides: rows in flight, scratch.
    public let workspaceByteCount: Int

    /// All byte counts are at least 0, and there is at least one layer.
    public init(
        layerByteCounts: [Int], embeddingByteCount: Int, headByteCount: Int, headIsEmbedding: Bool = false,
        kvBytesPerPagePerLayer: Int, workspaceByteCount: Int = 0
    ) {
        precondition(!layerByteCounts.isEmpty, "a model has layers")
        precondition(
            (layerByteCounts + [embeddingByteCount, headByteCount, kvBytesPerPagePerLayer, workspaceByteCount])
                .allSatisfy { $0 >= 0 }, "a byte count is not negative")
        self.layerByteCounts = layerByteCounts
        self.embeddingByteCount = embeddingByteCount
        self.headByteCount = headByteCount
        self.headIsEmbedding = headIsEmbedding
        self.kvBytesPerPagePerLayer = kvBytesPerPagePerLayer
        self.workspaceByteCount = workspaceByteCount
    }

    public var layerCount: Int { layerByteCounts.count }

    /// Bytes of the weights that a stage with these layers holds.
    public func weightByteCount(of layers: LayerRange) -> Int {
        let isFirst = layers.first == 0
        let isLast = layers.end == layerCount
        var count = layerByteCounts[layers.first..<layers.end].reduce(0, +)
        if isFirst { count += embeddingByteCount }
        if isLast && !(isFirst && headIsEmbedding) { count += headByteCount }
        return count
    }

    /// Bytes of the KV pages that a stage with these layers holds.
    public func kvByteCount(of layers: LayerRange, pageCount: Int) -> Int {
        let (perLayer, overflow) = kvBytesPerPagePerLayer.multipliedReportingOverflow(by: pageCount)
        let (total, overflow2) = perLayer.multipliedReportingOverflow(by: layers.count)
        return overflow || overflow2 ? Int.max / 4 : min(total, Int.max / 4)
    }

    /// Everything that a stage with these layers needs.
    public func memoryByteCount(of layers: LayerRange, pageCount: Int) -> Int {
        weightByteCount(of: layers) + kvByteCount(of: layers, pageCount: pageCount) + workspaceByteCount
    }

    /// Bytes of weights that are read for a token: embedding rows are looked up, not multiplied.
    public func computedByteCount(of layers: LayerRange) -> Int {
        let count = layerByteCounts[layers.first..<layers.end].reduce(0, +)
        return layers.end == layerCount ? count + headByteCount : count
    }
}
