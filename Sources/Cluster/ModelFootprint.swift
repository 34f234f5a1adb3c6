public import Inference

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
    /// Multiply-adds of a row with the weights of one layer; attention apart.
    public let layerMultiplyAddCount: Int
    /// Multiply-adds of a row with the head.
    public let headMultiplyAddCount: Int
    /// Bytes of a row of hidden state on its way to the next stage.
    public let rowByteCount: Int

    /// All byte counts are at least 0, and there is at least one layer.
    public init(
        layerByteCounts: [Int], embeddingByteCount: Int, headByteCount: Int, headIsEmbedding: Bool = false,
        kvBytesPerPagePerLayer: Int, workspaceByteCount: Int = 0, layerMultiplyAddCount: Int = 0,
        headMultiplyAddCount: Int = 0, rowByteCount: Int = 0
    ) {
        precondition(!layerByteCounts.isEmpty, "a model has layers")
        precondition(
            (layerByteCounts + [
                embeddingByteCount, headByteCount, kvBytesPerPagePerLayer, workspaceByteCount, layerMultiplyAddCount,
                headMultiplyAddCount, rowByteCount,
            ]).allSatisfy { $0 >= 0 }, "a count is not negative")
        self.layerByteCounts = layerByteCounts
        self.embeddingByteCount = embeddingByteCount
        self.headByteCount = headByteCount
        self.headIsEmbedding = headIsEmbedding
        self.kvBytesPerPagePerLayer = kvBytesPerPagePerLayer
        self.workspaceByteCount = workspaceByteCount
        self.layerMultiplyAddCount = layerMultiplyAddCount
        self.headMultiplyAddCount = headMultiplyAddCount
        self.rowByteCount = rowByteCount
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

    /// Bytes that a worker needs that holds a stage and beside it another one, with which it shares layers and pages.
    public func memoryByteCount(of layers: LayerRange, beside other: LayerRange?, pageCount: Int) -> Int {
        guard let other else { return memoryByteCount(of: layers, pageCount: pageCount) }
        let added = (layers.first..<layers.end).filter { !other.contains($0) }
        var count = memoryByteCount(of: other, pageCount: pageCount) + workspaceByteCount
        count += added.reduce(0) { $0 + layerByteCounts[$1] + kvBytesPerPagePerLayer * pageCount }
        if layers.first == 0, other.first != 0 { count += embeddingByteCount }
        if layers.end == layerCount, other.end != layerCount { count += headByteCount }
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
}
