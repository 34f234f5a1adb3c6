public import Kernels

/// A piece of a model whose weights are packed, and kept in the cache, as a whole.
///
/// Small enough that another split of the layers finds what it needs, whichever worker packed it.
public enum PackedPart: Sendable, Hashable, CustomStringConvertible {
    /// The embedding table, for lookup.
    case embedding
    /// One decoder layer.
    case layer(Int)
    /// The last norm and the head.
    case head

    public var description: String {
        switch self {
        case .embedding: "the embedding"
        case .layer(let index): "layer \(index)"
        case .head: "the head"
        }
    }

    /// The name of its file in the cache.
    var fileName: String {
        switch self {
        case .embedding: "embedding" + Self.fileSuffix
        case .layer(let index):
            "layer-\(String(repeating: "0", count: max(0, 4 - "\(index)".count)))\(index)\(Self.fileSuffix)"
        case .head: "head" + Self.fileSuffix
        }
    }

    static let fileSuffix = ".packed"
}

/// A tensor's place within its part.
public enum PackedTensor: UInt32, Sendable, Hashable, CaseIterable {
    case embedding = 0
    case outputNorm, head
    case attentionNorm, queryKeyValue, attentionOutput, feedForwardNorm, gateUp, down
}

/// Where one tensor lies in the bytes of its part, and how.
public struct PackedSection: Sendable, Hashable {
    /// How numbers lie in memory.
    public enum Layout: UInt32, Sendable, Hashable {
        /// Panels of 16 rows, as `PackedMatrix` has them.
        case panels = 1
        /// Rows one after the other, as in the checkpoint.
        case rows = 2
        /// 32-bit floats.
        case floats = 3
    }

    public let tensor: PackedTensor
    public let layout: Layout
    public let format: WeightFormat
    public let rows: Int
    public let columns: Int
    /// Where the bytes begin in the part; a multiple of 64.
    public let offset: Int
    public let byteCount: Int

    public var range: Range<Int> { offset..<offset + byteCount }

    /// Lays a tensor out at `offset`.
    ///
    /// - Throws: `KernelsError` for a shape that the format cannot have.
    init(
        tensor: PackedTensor, layout: Layout, format: WeightFormat, rows: Int, columns: Int, offset: Int
    ) throws(KernelsError) {
        self.tensor = tensor
        self.layout = layout
        self.format = format
        self.rows = rows
        self.columns = columns
        self.offset = offset
        let panelByteCount = try PackedMatrix.byteCount(format: format, rows: rows, columns: columns)
        switch layout {
        case .panels: byteCount = panelByteCount
        // No more than the panels, so it does not overflow either.
        case .rows, .floats: byteCount = rows * (try format.rowByteCount(columns: columns))
        }
    }

    /// The first offset after this section where another may begin.
    var end: Int { (offset + byteCount + PackedMatrix.alignment - 1) / PackedMatrix.alignment * PackedMatrix.alignment }
}
