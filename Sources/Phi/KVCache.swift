import Host
public import Inference
public import Kernels

/// The keys and values of a stage's layers, in physical pages of 64 positions that sequences share out.
///
/// Each layer has memory of its own, so that a stage can go on with what another one of the same worker holds.
public final class KVCache: Sendable {
    /// Of all layers together.
    public let layout: AttentionPageLayout
    public let layers: LayerRange
    public let pageCount: Int
    /// Of one layer: how its pages lie, one after the other.
    let layerLayout: AttentionPageLayout
    /// The layers' pages.
    ///
    /// Written by the stage's computation only, each position by one thread.
    let buffers: [HugeBuffer]

    /// Bytes of the pages.
    public var byteCount: Int { buffers.reduce(0) { $0 + $1.byteCount } }

    /// Reserves zeroed pages; the machine gives the memory when a page is first used.
    ///
    /// - Parameters:
    ///   - format: how numbers are stored.
    ///   - shared: whose pages of the same layers are used, with what is in them, instead of new ones. Ignored when it has
    ///     pages of another number or form.
    /// - Throws: `PhiError` when the pages do not fit into memory.
    public init(
        format: AttentionPageFormat, layers: LayerRange, headCount: Int, headSize: Int, pageCount: Int,
        sharing shared: KVCache? = nil
    ) throws {
        layout = AttentionPageLayout(
            format: format, layerCount: layers.count, headCount: headCount, headSize: headSize)
        let layerLayout = AttentionPageLayout(format: format, layerCount: 1, headCount: headCount, headSize: headSize)
        let (byteCount, overflow) = layerLayout.pageByteCount.multipliedReportingOverflow(by: pageCount)
        guard pageCount > 0, pageCount <= Int(UInt32.max), !overflow else {
            throw PhiError(
                code: .memory,
                message:
                    "\(pageCount) KV pages of \(layout.pageByteCount) bytes are not possible; choose another --ctx-size"
            )
        }
        self.layers = layers
        self.pageCount = pageCount
        self.layerLayout = layerLayout
        let other = shared?.layerLayout == layerLayout && shared?.pageCount == pageCount ? shared : nil
        do {
            buffers = try (layers.first..<layers.end).map { layer throws(HostError) in
                if let other, other.layers.contains(layer) { return other.buffers[layer - other.layers.first] }
                return try HugeBuffer(byteCount: byteCount)
            }
        } catch {
            throw PhiError(code: .memory, message: "KV pages: \(error.message); choose a smaller --ctx-size")
        }
    }

    /// Whether the pages of a layer are those of another cache.
    public func shares(_ layer: Int, with other: KVCache) -> Bool {
        layers.contains(layer) && other.layers.contains(layer)
            && buffers[layer - layers.first] === other.buffers[layer - other.layers.first]
    }
}

extension AttentionPageFormat {
    /// The kernels' name of a KV type.
    public init(_ type: KVType) {
        switch type {
        case .f16: self = .f16
        case .f32: self = .f32
        case .q8x0: self = .q8x0
        }
    }
}
