import CKernels

/// How keys and values lie in a page of the KV cache.
public enum AttentionPageFormat: Sendable, Hashable {
    /// Half precision, rounded to nearest even.
    case f16
    /// As computed.
    case f32
    /// int8 in blocks of 32 numbers of a head, with one half-precision scale each.
    case q8x0

    var kernelType: phalanx_kv_type {
        switch self {
        case .f16: PHALANX_KV_F16
        case .f32: PHALANX_KV_F32
        case .q8x0: PHALANX_KV_Q8_0
        }
    }
}

/// The layout of a physical page: for each layer, for each key/value head, 64 keys and then 64 values of that head.
///
/// A layer's part is contiguous, so that moving a layer to another worker moves one piece per page.
public struct AttentionPageLayout: Sendable, Hashable {
    /// Positions per page, and per attention block.
    public static let positionCount = PHALANX_PAGE_POSITIONS

    public let format: AttentionPageFormat
    public let layerCount: Int
    public let headCount: Int
    public let headSize: Int

    /// - Parameters:
    ///   - layerCount: layers of this stage.
    ///   - headCount: key/value heads.
    ///   - headSize: numbers per head.
    public init(format: AttentionPageFormat, layerCount: Int, headCount: Int, headSize: Int) {
        precondition(layerCount > 0 && headCount > 0 && headSize > 0, "a page holds something")
        self.format = format
        self.layerCount = layerCount
        self.headCount = headCount
        self.headSize = headSize
    }

    /// Bytes of one head of one layer, keys and values.
    public var headByteCount: Int { phalanx_kv_head_bytes(format.kernelType, headSize) }

    /// Bytes of one layer.
    public var layerByteCount: Int { headCount * headByteCount }

    /// Bytes of a page.
    public var pageByteCount: Int { layerCount * layerByteCount }

    /// Where a head's keys begin in a page.
    func byteOffset(layer: Int, head: Int) -> Int {
        precondition(layer >= 0 && layer < layerCount && head >= 0 && head < headCount, "a head of the page")
        return layer * layerByteCount + head * headByteCount
    }
}
