import Host
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

    @Test(arguments: [-1, Int.min, Int.max, 1 << 47])
    func `an impossible size is refused`(byteCount: Int) {
        #expect(throws: HostError.self) { try HugeBuffer(byteCount: byteCount) }
    }
}
