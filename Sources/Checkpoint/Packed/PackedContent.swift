public import Host
public import Kernels

/// The packed weights of one part, in memory.
///
/// Written by `pack` or `PackedModelCache.load` before anyone else sees it; afterwards only read.
public struct PackedContent: Sendable {
    public let plan: PackedPlan
    /// At least `plan.byteCount` bytes.
    public let buffer: HugeBuffer

    /// Reserves memory for a part.
    ///
    /// - Throws: `HostError` when there is none.
    public init(_ plan: PackedPlan) throws(HostError) {
        self.plan = plan
        buffer = try HugeBuffer(byteCount: plan.byteCount)
    }

    init(_ plan: PackedPlan, _ buffer: HugeBuffer) {
        precondition(buffer.byteCount >= plan.byteCount, "a buffer for the part")
        self.plan = plan
        self.buffer = buffer
    }

    /// A matrix of the part, in place.
    public func matrix(_ tensor: PackedTensor) throws -> PackedMatrix {
        let section = section(tensor, .panels)
        return try PackedMatrix(
            format: section.format, rows: section.rows, columns: section.columns, packed: storage(section))
    }

    /// A vector of the part, in place.
    public func vector(_ tensor: PackedTensor) -> LayerRows {
        let section = section(tensor, .floats)
        guard let start = unsafe bytes(section).baseAddress else { preconditionFailure("a section is not empty") }
        // The section holds `columns` floats, aligned to 64 bytes, and the view keeps the buffer.
        return unsafe LayerRows(
            start: start.bindMemory(to: Float.self, capacity: section.columns), owner: buffer, rowCount: 1,
            columnCount: section.columns, stride: section.columns)
    }

    /// Where a table of rows in the checkpoint's layout lies in `buffer`.
    public func table(_ tensor: PackedTensor) -> PackedSection { section(tensor, .rows) }

    func storage(_ section: PackedSection) -> MatrixStorage {
        // The section lies in the buffer, which the storage keeps.
        unsafe MatrixStorage(bytes: bytes(section), owner: buffer)
    }

    /// The bytes of a section. Valid while the buffer is alive.
    func bytes(_ section: PackedSection) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer.unsafeBytes[section.range])
    }

    private func section(_ tensor: PackedTensor, _ layout: PackedSection.Layout) -> PackedSection {
        guard let section = plan.section(tensor), section.layout == layout else {
            preconditionFailure("\(plan.part) has no \(tensor)")
        }
        return section
    }
}
