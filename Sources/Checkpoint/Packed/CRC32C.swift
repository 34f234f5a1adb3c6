import CChecksum

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) over blocks of 64 KiB: fast enough for all weights at every start.
enum CRC32C {
    static let blockByteCount = 64 << 10

    /// The checksum of each block; the last may be shorter.
    static func checksums(ofBlocksIn bytes: UnsafeRawBufferPointer) -> [UInt32] {
        let wholeCount = bytes.count / blockByteCount
        let rest = bytes.count % blockByteCount
        let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return unsafe [UInt32](unsafeUninitializedCapacity: wholeCount + 1) { sums, count in
            // The blocks lie within `bytes`; there is room for one more checksum than whole blocks.
            unsafe checksum_crc32c_blocks(start, blockByteCount, wholeCount, sums.baseAddress)
            count = wholeCount
            if rest > 0, let start = unsafe start {
                unsafe sums.initializeElement(
                    at: wholeCount, to: checksum_crc32c(0, start + wholeCount * blockByteCount, rest))
                count += 1
            }
        }
    }

    /// The checksum of some bytes.
    static func checksum(of bytes: some Collection<UInt8>) -> UInt32 {
        let bytes = Array(bytes)
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            // Only read, during the call.
            unsafe checksum_crc32c(0, buffer.baseAddress, buffer.count)
        }
    }

    /// The checksum of numbers as little-endian bytes.
    static func checksum(of numbers: [UInt32]) -> UInt32 {
        checksum(of: numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } })
    }
}
