/// A message with bytes that protobuf never sees: length, header, padding, bytes. `proto/phalanx/v1/stage.proto` has the
/// layout.
enum RawFrame {
    private static let lengthByteCount = 4
    private static let alignment = 64
    /// The field crc32c as it ends every header: number 15, four bytes.
    private static let checksumTag: UInt8 = 15 << 3 | 5
    private static let checksumByteCount = 5

    /// - Parameter header: encoded, without its checksum.
    static func encode(header: [UInt8], payload: [UInt8]) -> [UInt8] {
        var header = header
        let checksum = CRC32C.checksum(payload, continuing: CRC32C.checksum(header))
        header.append(checksumTag)
        header.append(littleEndian: checksum)
        let offset = payloadOffset(headerByteCount: header.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(offset + payload.count)
        bytes.append(littleEndian: UInt32(header.count))
        bytes += header
        bytes += repeatElement(0, count: offset - bytes.count)
        bytes += payload
        return bytes
    }

    /// Takes a message apart and checks lengths and checksum.
    ///
    /// - Parameter name: of the message, for errors.
    static func decode(
        _ bytes: [UInt8], _ name: String, payloadLimit: Int
    ) throws(WireError) -> (header: [UInt8], payload: [UInt8]) {
        let header = try header(of: bytes, name)
        let offset = payloadOffset(headerByteCount: header.count)
        guard offset <= bytes.count else {
            throw WireError(name, "ends within its padding (\(bytes.count) bytes)")
        }
        let payload = Array(bytes[offset...])
        guard payload.count <= payloadLimit else {
            throw WireError("\(name).rows", "have \(payload.count) bytes, at most \(payloadLimit)")
        }
        let end = header.count - checksumByteCount
        guard header[end] == checksumTag else { throw WireError("\(name).crc32c", "is not the header's last field") }
        let claimed = UInt32(littleEndianBytes: header[(end + 1)...])
        let computed = CRC32C.checksum(payload, continuing: CRC32C.checksum(Array(header[..<end])))
        guard claimed == computed else { throw .wrongChecksum(name, claimed: claimed, computed: computed) }
        return (header, payload)
    }

    private static func payloadOffset(headerByteCount: Int) -> Int {
        (lengthByteCount + headerByteCount + alignment - 1) / alignment * alignment
    }

    private static func header(of bytes: [UInt8], _ name: String) throws(WireError) -> [UInt8] {
        guard bytes.count >= lengthByteCount else { throw WireError(name, "has only \(bytes.count) bytes") }
        let byteCount = Int(UInt32(littleEndianBytes: bytes[..<lengthByteCount]))
        let room = min(bytes.count - lengthByteCount, WireLimits.headerByteCount)
        guard byteCount > checksumByteCount, byteCount <= room else {
            throw WireError(
                "\(name).header", "claims \(byteCount) bytes, allowed are \(checksumByteCount + 1) to \(room)")
        }
        return Array(bytes[lengthByteCount..<(lengthByteCount + byteCount)])
    }
}

extension WireError {
    private static let checksumField = ".crc32c"

    /// Whether bytes were changed on the way: the connection is to blame rather than the peer's program.
    public var isChecksumError: Bool { field.hasSuffix(Self.checksumField) }

    fileprivate static func wrongChecksum(_ name: String, claimed: UInt32, computed: UInt32) -> WireError {
        WireError(
            name + checksumField, "is \(computed), the header says \(claimed): bytes were changed on the way")
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian value: UInt32) {
        for shift in [0, 8, 16, 24] { append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
    }
}

extension UInt32 {
    fileprivate init(littleEndianBytes bytes: ArraySlice<UInt8>) {
        self = bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
