internal import CKernels

/// Rows of weights in file layout: one tensor, or one of several that are stacked into a matrix.
@safe public struct MatrixSource: @unchecked Sendable {
    public let rows: Int
    /// The rows one after the other, any alignment. Valid for the duration of the call that takes the source, and
    /// written by nobody meanwhile; that makes sharing it between the packing threads sound.
    public let bytes: UnsafeRawBufferPointer

    @unsafe public init(rows: Int, bytes: UnsafeRawBufferPointer) {
        self.rows = rows
        unsafe self.bytes = bytes
    }
}

/// Memory for packed weights, 64-byte aligned, and who keeps it alive.
@safe public struct MatrixStorage: @unchecked Sendable {
    /// Written while packing, by disjoint panels; afterwards only read. That makes sharing it sound.
    public let bytes: UnsafeMutableRawBufferPointer
    /// Frees the memory in its `deinit`, and not earlier.
    public let owner: AnyObject

    @unsafe public init(bytes: UnsafeMutableRawBufferPointer, owner: AnyObject) {
        unsafe self.bytes = bytes
        self.owner = owner
    }
}

/// Memory of our own for packed weights.
@safe final class OwnedMemory {
    private let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        unsafe bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: PackedMatrix.alignment)
    }

    deinit {
        unsafe bytes.deallocate()
    }

    var storage: MatrixStorage { unsafe MatrixStorage(bytes: bytes, owner: self) }
}

/// Packs panels of one matrix; ranges of panels may run in parallel, since each writes its own bytes.
struct PanelPacker: Sendable {
    let format: phalanx_format
    let columns: Int
    let rowByteCount: Int
    let panelByteCount: Int
    let sources: [MatrixSource]
    let destination: MatrixStorage

    func pack(_ panels: Range<Int>) {
        for panel in panels { pack(panel) }
    }

    private func pack(_ panel: Int) {
        let rowCount = PackedMatrix.panelRowCount
        unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: rowCount) { pointers in
            for row in 0..<rowCount {
                unsafe pointers.initializeElement(at: row, to: start(ofRow: panel * rowCount + row))
            }
            // The sources' sizes were checked against their row counts, the destination's against the panel count.
            let target = unsafe destination.bytes.baseAddress?.advanced(by: panel * panelByteCount)
            unsafe phalanx_pack_panel(
                format, columns, pointers.baseAddress, target?.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// The bytes of a row of the stacked matrix; nil beyond the last.
    private func start(ofRow row: Int) -> UnsafePointer<UInt8>? {
        var row = row
        for source in sources {
            if row < source.rows {
                let bytes = unsafe source.bytes.baseAddress?.advanced(by: row * rowByteCount)
                return unsafe bytes?.assumingMemoryBound(to: UInt8.self)
            }
            row -= source.rows
        }
        return nil
    }
}
