import CKernels

/// Attention of grouped queries over keys and values in pages.
///
/// A row's result depends on the absolute positions that it sees and on nothing else: not on how many rows are computed
/// together, nor on threads. See `phalanx_attend` for the order of operations.
@safe public struct AttentionKernel: Sendable {
    public let layout: AttentionPageLayout
    /// Query heads per key/value head.
    public let groupCount: Int
    /// What the dot products are multiplied with.
    public let scale: Float
    /// Positions that a row sees, itself included; 0 for all.
    public let window: Int

    public init(layout: AttentionPageLayout, groupCount: Int, scale: Float, window: Int) {
        precondition(groupCount > 0 && window >= 0, "queries see something")
        self.layout = layout
        self.groupCount = groupCount
        self.scale = scale
        self.window = window
    }

    /// The first position that a row at `position` sees.
    public func firstVisiblePosition(from position: Int) -> Int {
        window > 0 ? max(0, position - window + 1) : 0
    }

    /// Floats of scratch memory that `attend` needs for so many rows.
    public func scratchCount(rowCount: Int) -> Int {
        phalanx_attention_scratch_count(rowCount, groupCount, layout.headSize)
    }

    /// Stores the key and the value of one position and head.
    ///
    /// - Parameters:
    ///   - pages: the cache's first page; physical page `page` must lie within.
    ///   - key: `headSize` numbers, rotated.
    ///   - value: `headSize` numbers.
    @unsafe public func store(
        key: UnsafePointer<Float>, value: UnsafePointer<Float>, pages: UnsafeMutableRawPointer, page: Int, layer: Int,
        head: Int, position: Int
    ) {
        let start = unsafe pages + page * layout.pageByteCount + layout.byteOffset(layer: layer, head: head)
        unsafe phalanx_kv_store(
            start, layout.format.kernelType, layout.headSize, position % AttentionPageLayout.positionCount, key, value)
    }

    /// Computes consecutive rows of one sequence for one key/value head.
    ///
    /// - Parameters:
    ///   - query: the rows' rotated queries of this head's group: `groupCount * headSize` columns.
    ///   - out: the same shape; gets the weighted values.
    ///   - pages: the cache's first page.
    ///   - pageTable: physical pages by logical page; every page that a row sees must be named and hold its positions.
    ///   - firstPosition: the absolute position of row 0.
    ///   - scratch: at least `scratchCount(rowCount:)` floats, used by nobody else.
    @unsafe public func attend(
        query: LayerRows, out: LayerRows, pages: UnsafeRawPointer, pageTable: UnsafePointer<UInt32>, layer: Int,
        head: Int, firstPosition: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        let columnCount = groupCount * layout.headSize
        precondition(query.columnCount == columnCount && out.columnCount == columnCount, "a group of heads")
        precondition(query.rowCount == out.rowCount && firstPosition >= 0, "one result per query")
        guard query.rowCount > 0 else { return }
        let start = unsafe pages + layout.byteOffset(layer: layer, head: head)
        withExtendedLifetime((query, out)) {
            // Rows are checked against the views above; the kernel follows the table only to the rows' own positions.
            var call = unsafe phalanx_attention()
            unsafe call.query = UnsafePointer(query.unsafeRow(0).baseAddress)
            unsafe call.out = out.unsafeRow(0).baseAddress
            unsafe call.query_stride = query.stride
            unsafe call.out_stride = out.stride
            unsafe call.pages = start.assumingMemoryBound(to: UInt8.self)
            unsafe call.page_stride = layout.pageByteCount
            unsafe call.page_table = pageTable
            unsafe call.first_position = Int64(firstPosition)
            unsafe call.row_count = query.rowCount
            unsafe call.head_dim = layout.headSize
            unsafe call.group_count = groupCount
            unsafe call.window = Int64(window)
            unsafe call.scale = scale
            unsafe call.kv_type = layout.format.kernelType
            unsafe call.scratch = scratch
            unsafe phalanx_attend(&call)
        }
    }
}
