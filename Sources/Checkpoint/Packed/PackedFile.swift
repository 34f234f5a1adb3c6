import Host
import Synchronization

/// One file of the cache, opened to be read.
struct PackedFile {
    private let file: DataFile
    private(set) var header: PackedHeader

    /// Bytes that a thread reads and checks at a time, while they are in its caches.
    private static let pieceByteCount = 1 << 20

    /// Opens a file and reads its header.
    ///
    /// - Throws: `HostError.Code.fileNotFound` when there is none, else `HostError` or `PackedFileError`.
    init(path: String) throws {
        let file = try DataFile(reading: path)
        // Nobody writes into the header meanwhile: see `adopt`.
        file.lock(shared: true)
        defer { file.unlock() }
        let fileByteCount = try file.byteCount
        guard fileByteCount >= PackedHeader.prefixByteCount else { throw PackedFileError("it is cut off") }
        let prefix = try file.bytes(in: 0..<PackedHeader.prefixByteCount)
        let headerByteCount = try PackedHeader.byteCount(ofPrefix: prefix, fileByteCount: fileByteCount)
        header = try PackedHeader(parsing: file.bytes(in: 0..<headerByteCount), fileByteCount: fileByteCount)
        self.file = file
    }

    /// Reads the packed bytes with all threads of the pool, and checks every one.
    ///
    /// - Throws: `HostError` or `PackedFileError`; the buffer's bytes mean nothing then.
    func read(into buffer: HugeBuffer, pool: ComputePool) throws {
        precondition(buffer.byteCount >= header.payloadByteCount, "a buffer for the packed bytes")
        try inPieces(pool) { range in
            // Pieces do not overlap, and lie in the buffer.
            let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer.unsafeBytes[range])
            try unsafe file.read(into: bytes, at: header.byteCount + range.lowerBound)
            try check(range, of: buffer)
        }
    }

    /// Maps the packed bytes and checks every one, with all threads of the pool.
    ///
    /// - Throws: `HostError` when they cannot be mapped, or `PackedFileError`.
    func map(pool: ComputePool) throws -> HugeBuffer {
        let buffer = try HugeBuffer(
            mapping: file, offset: header.byteCount, byteCount: header.payloadByteCount)
        try inPieces(pool) { try check($0, of: buffer) }
        return buffer
    }

    private func inPieces(_ pool: ComputePool, _ body: (Range<Int>) throws -> Void) throws {
        let failure = Mutex<(any Error)?>(nil)
        let pieceCount = (header.payloadByteCount + Self.pieceByteCount - 1) / Self.pieceByteCount
        pool.run(pieceCount) { piece in
            guard failure.withLock({ $0 == nil }) else { return }
            let start = piece * Self.pieceByteCount
            do {
                try body(start..<min(start + Self.pieceByteCount, header.payloadByteCount))
            } catch {
                failure.withLock { $0 = error }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Marks the file as used now.
    func touch() { file.touch() }

    private func check(_ range: Range<Int>, of buffer: HugeBuffer) throws {
        let first = range.lowerBound / CRC32C.blockByteCount
        // The range lies in the buffer.
        let sums = unsafe CRC32C.checksums(
            ofBlocksIn: UnsafeRawBufferPointer(rebasing: buffer.unsafeBytes[range]))
        for (index, sum) in sums.enumerated() where sum != header.blockChecksums[first + index] {
            let place = header.byteCount + (first + index) * CRC32C.blockByteCount
            throw PackedFileError("it is damaged within the 64 KiB from byte \(place) on")
        }
    }

    /// Remembers that the content also comes from files in another state, so that it is not compared again.
    ///
    /// Changes the header in place, under a lock; one that is torn by a crash is noticed and the part packed again. A
    /// cache that cannot be changed stays as it is.
    mutating func adopt(_ source: SourceDigest) {
        header.source = source
        file.lock(shared: false)
        defer { file.unlock() }
        let bytes = header.encoded()
        // Only read, during the call.
        try? unsafe bytes.withUnsafeBytes { try unsafe file.write($0, at: 0) }
    }
}
