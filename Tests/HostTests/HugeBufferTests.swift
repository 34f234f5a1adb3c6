import Foundation
import Host
import TestSupport
import Testing

@Suite struct HugeBufferTests {
    @Test(arguments: [0, 1, 4096, 100_000, 2 << 20, (4 << 20) + 5])
    func `a buffer is zeroed, aligned and writable to its last byte`(byteCount: Int) throws {
        let buffer = try HugeBuffer(byteCount: byteCount)
        #expect(Int(bitPattern: unsafe buffer.unsafeBytes.baseAddress) % (byteCount >= 2 << 20 ? 2 << 20 : 4096) == 0)
        let before = unsafe [UInt8](buffer.unsafeBytes)
        #expect(before == [UInt8](repeating: 0, count: byteCount))
        guard byteCount > 0 else { return }
        unsafe buffer.unsafeBytes[0] = 1
        unsafe buffer.unsafeBytes[byteCount - 1] = 255
        #expect(buffer.withBytes { unsafe $0.unsafeLoad(fromByteOffset: byteCount - 1, as: UInt8.self) } == 255)
        buffer.discard()
        let after = unsafe [UInt8](buffer.unsafeBytes)
        #expect(after == before)
    }

    @Test(arguments: [1, 4096, 100_000, (2 << 20) - 1, 2 << 20, (6 << 20) + 4097])
    func `bytes of a file are moved into memory under their readers' feet`(byteCount: Int) async throws {
        let directory = try TemporaryDirectory()
        let content = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 11) }
        let path = try directory.write(Data(repeating: 7, count: 4096) + content, to: "data")
        let file = try DataFile(reading: path)
        for _ in 0..<5 {
            let buffer = try HugeBuffer(mapping: file, offset: 4096, byteCount: byteCount)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for reader in 0..<3 {
                    group.addTask {
                        (0..<200).allSatisfy { round in
                            let place = (round * 7_919 + reader * 104_729) % byteCount
                            return buffer.withBytes { bytes in
                                stride(from: place, to: byteCount, by: 4096).allSatisfy {
                                    unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) == content[$0]
                                }
                            }
                        }
                    }
                }
                group.addTask {
                    try buffer.moveIntoMemory()
                    return true
                }
                for try await isRight in group { #expect(isRight) }
            }
            #expect(unsafe [UInt8](buffer.unsafeBytes) == content)
        }
        // The file has nothing to do with the bytes any more.
        let last = try HugeBuffer(mapping: file, offset: 4096, byteCount: byteCount)
        try last.moveIntoMemory()
        let status = unsafe truncate(path, 0)
        #expect(status == 0)
        #expect(unsafe [UInt8](last.unsafeBytes) == content)
    }

    @Test func `only bytes of the file can be mapped`() throws {
        let directory = try TemporaryDirectory()
        let file = try DataFile(reading: directory.write(Data(repeating: 7, count: 8192), to: "data"))
        for (offset, count) in [(4096, 4097), (1, 10), (8192, 1), (-4096, 10), (0, 0)] {
            #expect(throws: HostError.self) { try HugeBuffer(mapping: file, offset: offset, byteCount: count) }
        }
    }

    @Test(arguments: [-1, Int.min, Int.max, 1 << 47])
    func `an impossible size is refused`(byteCount: Int) {
        #expect(throws: HostError.self) { try HugeBuffer(byteCount: byteCount) }
    }
}
