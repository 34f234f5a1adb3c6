public import Host
import Synchronization

extension GGUFWriter {
    /// Makes the rows of a tensor in pieces, on all threads of a pool, and writes each piece as soon as it is there.
    ///
    /// Memory is taken for four pieces of about a million numbers per thread, whatever the tensor's size.
    ///
    /// - Parameters:
    ///   - tensor: its position in `tensors`.
    ///   - progress: called after every few pieces with the bytes that were written since the last call.
    ///   - make: fills the bytes of some rows, all of them; called from any thread. The memory is valid during the call.
    /// - Throws: the first error of `make` or of writing.
    public func fill(
        _ tensor: Int, pool: ComputePool, progress: (Int) -> Void,
        _ make: (Range<Int>, UnsafeMutableRawBufferPointer) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let plan = tensors[tensor]
        let pieceRowCount = max(1, (1 << 20) / plan.columns)
        let waveRowCount = 4 * pool.threadCount * pieceRowCount
        let failure = Mutex<CheckpointError?>(nil)
        for start in stride(from: 0, to: plan.rows, by: waveRowCount) {
            let wave = start..<min(start + waveRowCount, plan.rows)
            pool.run((wave.count + pieceRowCount - 1) / pieceRowCount) { piece in
                let first = wave.lowerBound + piece * pieceRowCount
                let rows = first..<min(first + pieceRowCount, wave.upperBound)
                do throws(CheckpointError) {
                    let bytes = try unsafe Self.bytes(count: rows.count * plan.rowByteCount) {
                        (buffer) throws(CheckpointError) in
                        try unsafe make(rows, buffer)
                    }
                    // An array's elements seen as bytes.
                    try unsafe write(bytes.span.bytes, tensor: tensor, at: rows.lowerBound * plan.rowByteCount)
                } catch {
                    failure.withLock { $0 = $0 ?? error }
                }
            }
            if let error = failure.withLock({ $0 }) { throw error }
            progress(wave.count * plan.rowByteCount)
        }
    }

    /// An array whose bytes `make` fills without their being cleared first.
    private static func bytes(
        count: Int, _ make: (UnsafeMutableRawBufferPointer) throws(CheckpointError) -> Void
    ) throws(CheckpointError) -> [UInt8] {
        var failure: CheckpointError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            do throws(CheckpointError) {
                // The array has room for `count` bytes; `make` gets just those.
                try unsafe make(
                    UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
                initializedCount = count
            } catch {
                failure = error
                initializedCount = 0
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
