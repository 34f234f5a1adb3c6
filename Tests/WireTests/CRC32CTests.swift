import TestSupport
import Testing

@testable import Wire

@Suite struct CRC32CTests {
    /// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
    @Test func `published vectors`() {
        let vectors: [([UInt8], UInt32)] = [
            ([], 0), (Array("123456789".utf8), 0xE306_9283), (Array(repeating: 0, count: 32), 0x8A91_36AA),
            (Array(repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
            ((0..<32).reversed().map { UInt8($0) }, 0x113F_DB5C),
        ]
        for (bytes, expected) in vectors {
            #expect(CRC32C.checksum(bytes) == expected)
            #expect(CRC32C.portableChecksum(bytes) == expected)
        }
    }

    @Test(arguments: 0..<50)
    func `the instruction and the definition agree, whole and continued`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let cut = Int.random(in: 0...bytes.count, using: &random)
        let whole = CRC32C.checksum(bytes)
        #expect(whole == CRC32C.portableChecksum(bytes), "seed \(seed)")
        let first = CRC32C.portableChecksum(Array(bytes[..<cut]))
        #expect(CRC32C.checksum(Array(bytes[cut...]), continuing: first) == whole, "seed \(seed)")
    }
}
