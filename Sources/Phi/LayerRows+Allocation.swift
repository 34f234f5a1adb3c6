import Host
package import Kernels

extension LayerRows {
    /// Rows in zeroed memory of their own, each row on a 64-byte boundary.
    ///
    /// - Throws: `PhiError` when the memory cannot be reserved.
    package static func allocated(rowCount: Int, columnCount: Int) throws -> LayerRows {
        let stride = (columnCount + 15) / 16 * 16
        let (count, overflow) = max(1, rowCount).multipliedReportingOverflow(by: stride)
        guard !overflow, count <= 1 << 40 else {
            throw PhiError(code: .memory, message: "\(rowCount) rows of \(columnCount) numbers do not fit in memory")
        }
        do {
            let buffer = try HugeBuffer(byteCount: count * MemoryLayout<Float>.stride)
            // The view keeps the buffer; the mapping is zeroed, which is a valid state of floats, and large enough.
            guard let start = unsafe buffer.unsafeBytes.baseAddress else {
                throw PhiError(code: .memory, message: "no memory for \(rowCount) rows")
            }
            return unsafe LayerRows(
                start: start.bindMemory(to: Float.self, capacity: count), owner: buffer, rowCount: rowCount,
                columnCount: columnCount, stride: stride)
        } catch let error as HostError {
            throw PhiError(code: .memory, message: error.message + "; use fewer rows per step or a shorter context")
        }
    }

    /// Bytes that `allocated` reserves.
    static func byteCount(rowCount: Int, columnCount: Int) -> Int {
        max(1, rowCount) * ((columnCount + 15) / 16 * 16) * MemoryLayout<Float>.stride
    }
}
