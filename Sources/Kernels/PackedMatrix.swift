internal import CKernels

/// A matrix of weights in panels of 16 rows, and its product with rows of activations.
///
/// Use, for example for the fused q, k, v projection:
///
///     let qkv = try PackedMatrix(
///         format: .q4K, columns: hidden,
///         sources: [MatrixSource(rows: 3 * hidden, bytes: tensorBytes)],   // or three sources: q, k, v
///         storage: MatrixStorage(bytes: buffer.unsafeBytes, owner: buffer)) // or nil: own memory
///     let input = try ActivationBuffer(layout: qkv.activationLayout, columns: hidden, capacity: maximumRows)
///     ...
///     input.fill(0..<rowCount, from: normed)                       // quantise; disjoint row ranges may run in parallel
///     qkv.multiply(input, rowCount: rowCount, panels: range, into: output) // disjoint panel ranges in parallel
///
/// `output[r, o] = sum over k of W[o, k] x[r, k]`, in the arithmetic that `phalanx_matrix.h` defines: each number's bits
/// depend on its row and its weights only, never on the other rows, the panel ranges, threads or the instruction set.
///
/// `@unchecked Sendable`, and safe to use: after `init` nobody writes the bytes, and they live as long as this object.
@safe public final class PackedMatrix: @unchecked Sendable {
    public let format: WeightFormat
    /// Outputs per activation row.
    public let rows: Int
    /// Weights per row, and numbers per activation row.
    public let columns: Int
    /// Panels of 16 rows; the unit in which work is split.
    public let panelCount: Int
    /// Size of the packed weights.
    public let byteCount: Int

    private let panelByteCount: Int
    private let start: UnsafePointer<UInt8>
    /// Keeps the memory alive: the caller's owner, or our own allocation.
    private let owner: AnyObject

    /// Rows per panel.
    public static let panelRowCount = 16
    /// Packed weights start at a multiple of this many bytes.
    public static let alignment = 64
    /// Raised by every change of the packed layout; part of a cache's key.
    public static let packingVersion: UInt32 = 1

    /// What activations must be stored as.
    public var activationLayout: ActivationLayout { format.activationLayout }

    /// Bytes that a packed matrix takes: those of its rows in a file, rows rounded up to 16, panels to 64 bytes.
    ///
    /// - Throws: `KernelsError` for a shape that the format cannot have or that overflows.
    public static func byteCount(format: WeightFormat, rows: Int, columns: Int) throws(KernelsError) -> Int {
        _ = try format.rowByteCount(columns: columns)
        guard rows > 0, rows <= 1 << 24 else {
            throw KernelsError("a matrix of \(rows) rows is not possible: 1 to 2^24")
        }
        let panels = (rows + panelRowCount - 1) / panelRowCount
        let (byteCount, overflow) = panels.multipliedReportingOverflow(by: phalanx_panel_bytes(format.code, columns))
        guard !overflow else { throw KernelsError("a matrix of \(rows) rows and \(columns) columns is too large") }
        return byteCount
    }

    /// Packs rows in file layout.
    ///
    /// - Parameters:
    ///   - sources: raw rows, stacked in this order; only read during this call.
    ///   - storage: where the packed bytes go, at least `byteCount(format:rows:columns:)` of them; nil allocates.
    ///   - distribute: runs the work, `(count, body)`: it must have called `body` for ranges that cover `0..<count`,
    ///     from any threads, before it returns. By default everything runs here.
    /// - Throws: `KernelsError` when shapes and byte counts do not agree, or the storage is too small or misaligned.
    public convenience init(
        format: WeightFormat, columns: Int, sources: [MatrixSource], storage: MatrixStorage? = nil,
        distribute: (Int, @Sendable (Range<Int>) -> Void) throws -> Void = { count, body in body(0..<count) }
    ) throws {
        let rowByteCount = try format.rowByteCount(columns: columns)
        var rows = 0
        for (index, source) in sources.enumerated() {
            let (expected, overflow) = source.rows.multipliedReportingOverflow(by: rowByteCount)
            guard source.rows > 0, !overflow, unsafe source.bytes.count == expected else {
                throw KernelsError(
                    "source \(index) has \(unsafe source.bytes.count) bytes, but \(source.rows) rows of \(columns) "
                        + "\(format) columns are \(overflow ? "too many" : "\(expected)")")
            }
            rows += source.rows
        }
        let byteCount = try Self.byteCount(format: format, rows: rows, columns: columns)
        let storage = storage ?? OwnedMemory(byteCount: byteCount).storage
        try self.init(format: format, rows: rows, columns: columns, packed: storage)
        let packer = PanelPacker(
            format: format.code, columns: columns, rowByteCount: rowByteCount, panelByteCount: panelByteCount,
            sources: sources, destination: storage)
        try distribute(panelCount) { panels in packer.pack(panels) }
    }

    /// Takes bytes that are packed already, for example from a cache; `storage.owner` keeps them alive.
    ///
    /// Any bytes are safe; whether they are the right ones is the cache's business.
    ///
    /// - Throws: `KernelsError` when the shape is impossible, or the storage too small or misaligned.
    public init(format: WeightFormat, rows: Int, columns: Int, packed storage: MatrixStorage) throws(KernelsError) {
        let byteCount = try Self.byteCount(format: format, rows: rows, columns: columns)
        guard let start = unsafe storage.bytes.baseAddress, unsafe storage.bytes.count >= byteCount else {
            throw KernelsError("\(unsafe storage.bytes.count) bytes of storage; the matrix takes \(byteCount)")
        }
        guard Int(bitPattern: start) % Self.alignment == 0 else {
            throw KernelsError("packed weights must start at a multiple of \(Self.alignment) bytes")
        }
        self.format = format
        self.rows = rows
        self.columns = columns
        self.byteCount = byteCount
        panelCount = (rows + Self.panelRowCount - 1) / Self.panelRowCount
        panelByteCount = phalanx_panel_bytes(format.code, columns)
        unsafe self.start = UnsafePointer(start.assumingMemoryBound(to: UInt8.self))
        owner = storage.owner
    }

    /// Computes `output[r, o]` for `r` in `0..<rowCount` and the outputs `o` of some panels.
    ///
    /// - Parameters:
    ///   - activations: rows `0..<rowCount` filled, in this format's layout.
    ///   - panels: which panels (16 outputs each) to compute; threads take disjoint ranges of `0..<panelCount`.
    ///   - output: at least `rowCount` rows of `rows` columns; only columns of these panels are written.
    ///   - isa: whose kernels to use; they give the same bits.
    public func multiply(
        _ activations: ActivationBuffer, rowCount: Int, panels: Range<Int>, into output: LayerRows,
        isa: ISA = .current
    ) {
        precondition(
            activations.layout == activationLayout && activations.columns == columns, "activations of the shape")
        precondition(rowCount >= 0 && rowCount <= activations.capacity, "rows of the activations")
        precondition(output.rowCount >= rowCount && output.columnCount == rows, "an output of the product's shape")
        precondition(panels.lowerBound >= 0 && panels.upperBound <= panelCount, "panels of the matrix")
        precondition(isa.isAvailable, "an instruction set of this machine")
        guard rowCount > 0, !panels.isEmpty else { return }
        // Every shape that the kernel relies on was just checked; all memory is kept alive by its holders.
        var product = unsafe phalanx_product(
            format: format.code, columns: columns, matrix_rows: rows, panels: start, activations: activations.start,
            activation_stride: activations.rowByteCount, rows: rowCount, output: output.unsafeRow(0).baseAddress,
            output_stride: output.stride)
        unsafe phalanx_matrix_kernels(isa.code).pointee.multiply(&product, panels.lowerBound, panels.upperBound)
    }

    /// Writes the numbers that one row of weights stands for; the same bits as `WeightFormat.dequantize` of the file's row.
    public func dequantize(row: Int, into values: LayerRows) {
        precondition(row >= 0 && row < rows, "a row of the matrix")
        precondition(values.rowCount == 1 && values.columnCount == columns, "one row of the matrix's width")
        let panel = unsafe start + row / Self.panelRowCount * panelByteCount
        unsafe phalanx_dequantize_panel_row(
            format.code, columns, panel, Int32(row % Self.panelRowCount), values.unsafeRow(0).baseAddress)
    }

    /// Calls `body` with the packed bytes, for example to write them to a cache.
    public func withPackedBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(unsafe UnsafeRawBufferPointer(start: start, count: byteCount).bytes)
    }
}
