import Kernels
import TestSupport
import Testing

@testable import Checkpoint

/// The header of a file of packed weights, which anyone may have written.
@Suite struct PackedHeaderTests {
    static func sample() throws -> PackedHeader {
        let norm = try PackedSection(
            tensor: .outputNorm, layout: .floats, format: .f32, rows: 1, columns: 100, offset: 0)
        let head = try PackedSection(
            tensor: .head, layout: .panels, format: .q4K, rows: 300, columns: 512, offset: norm.end)
        return PackedHeader(
            packingVersion: 1, part: .head, fingerprint: String(repeating: "0a", count: 32),
            source: SourceDigest(
                content: String(repeating: "1b", count: 32), state: String(repeating: "2c", count: 32)),
            sections: [norm, head], payloadByteCount: head.end,
            blockChecksums: (0..<UInt32((head.end + 65535) / 65536)).map { $0 &* 77777 })
    }

    @Test func `a header is read as it was written`() throws {
        for part in [PackedPart.embedding, .layer(0), .layer(31), .head] {
            var header = try Self.sample()
            header.part = part
            let bytes = header.encoded()
            #expect(bytes.count == header.byteCount && bytes.count == 4096)
            #expect(try PackedHeader(parsing: bytes, fileByteCount: header.fileByteCount) == header)
        }
    }

    @Test func `every flipped byte and every missing one is noticed`() throws {
        let header = try Self.sample()
        let bytes = header.encoded()
        for place in bytes.indices {
            var damaged = bytes
            damaged[place] ^= 1 << UInt8(place % 8)
            #expect(throws: PackedFileError.self, "byte \(place)") {
                try PackedHeader(parsing: damaged, fileByteCount: header.fileByteCount)
            }
        }
        for count in 0..<bytes.count {
            #expect(throws: PackedFileError.self, "\(count) bytes") {
                try PackedHeader(parsing: Array(bytes.prefix(count)), fileByteCount: header.fileByteCount)
            }
        }
    }

    @Test func `mutated headers are read or refused`() async {
        await #expect(processExitsWith: .success) { try CheckpointFuzzer().fuzzPackedHeader() }
    }

    /// RFC 3720, appendix B.4, and the check value of the CRC catalogue; then blocks of every kind.
    @Test func `checksums are CRC-32C, block by block`() {
        let vectors: [([UInt8], UInt32)] = [
            ([], 0), (Array("123456789".utf8), 0xE306_9283), (Array(repeating: 0, count: 32), 0x8A91_36AA),
        ]
        for (bytes, expected) in vectors { #expect(CRC32C.checksum(of: bytes) == expected) }
        var random = SeededGenerator(seed: 5)
        let block = CRC32C.blockByteCount
        for count in [0, 1, block - 1, block, block + 3, 4 * block, 5 * block, 9 * block + 17] {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let expected = stride(from: 0, to: count, by: block).map { start in
                CRC32C.checksum(of: bytes[start..<min(start + block, count)])
            }
            let sums = unsafe bytes.withUnsafeBytes { unsafe CRC32C.checksums(ofBlocksIn: $0) }
            #expect(sums == expected, "\(count) bytes")
        }
    }
}
