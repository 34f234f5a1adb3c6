import CChecksum

/// CRC-32C (Castagnoli), as iSCSI defines it (RFC 3720 appendix B.4); the same on every machine.
public enum CRC32C {
    /// The checksum of the bytes, or of what came before followed by them.
    public static func checksum(_ bytes: [UInt8], continuing previous: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            // Sound: the C function reads `count` bytes and keeps nothing.
            unsafe checksum_crc32c(previous, buffer.baseAddress, buffer.count)
        }
    }

    /// The definition, without the processor's instruction.
    static func portableChecksum(_ bytes: [UInt8], continuing previous: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe checksum_crc32c_portable(previous, buffer.baseAddress, buffer.count)
        }
    }
}
