import CWire
public import Inference

/// The message between stages: length, protobuf header, padding, rows. `proto/phalanx/v1/stage.proto` has the layout.
extension Activation {
    private static let lengthByteCount = 4
    private static let alignment = 64
    /// The field crc32c as it ends every header: number 15, four bytes.
    private static let checksumTag: UInt8 = 15 << 3 | 5
    private static let checksumByteCount = 5

    /// The message's bytes. `rows` must hold the same count of numbers for each of the step's rows.
    public func wireBytes() -> [UInt8] {
        let rowCount = step.rowCount
        // A step that only retires sequences has no rows, and says nothing of their size.
        let hiddenSize = rowCount == 0 ? 0 : rows.count / (4 * rowCount)
        precondition(rows.count == rowCount * hiddenSize * 4, "rows and shape of an activation differ")
        var header = unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__activation_header__init)
            unsafe message.pointee.step = unsafe arena.step(step)
            unsafe message.pointee.row_count = UInt32(clamping: rowCount)
            unsafe message.pointee.hidden_size = UInt32(clamping: hiddenSize)
            unsafe message.pointee.element_type = PHALANX__V1__ELEMENT_TYPE__ELEMENT_TYPE_F32
            return unsafe message
        }
        let checksum = CRC32C.checksum(rows, continuing: CRC32C.checksum(header))
        header.append(Self.checksumTag)
        header.append(littleEndian: checksum)
        let offset = Self.rowsOffset(headerByteCount: header.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(offset + rows.count)
        bytes.append(littleEndian: UInt32(header.count))
        bytes += header
        bytes += repeatElement(0, count: offset - bytes.count)
        bytes += rows
        return bytes
    }

    /// Reads what the previous stage sent. Throws `WireError`, for a wrong checksum one with `isChecksumError`.
    ///
    /// - Parameter hiddenSize: the model's; a message of another one is refused.
    public init(wireBytes bytes: [UInt8], hiddenSize: Int) throws(WireError) {
        let header = try Self.header(of: bytes)
        let offset = Self.rowsOffset(headerByteCount: header.count)
        guard offset <= bytes.count else {
            throw WireError("Activation", "ends within its padding (\(bytes.count) bytes)")
        }
        let rows = Array(bytes[offset...])
        guard rows.count <= WireLimits.rowsByteCount else {
            throw WireError("Activation.rows", "have \(rows.count) bytes, at most \(WireLimits.rowsByteCount)")
        }
        try Self.check(header, rows)
        let step = try Self.step(header, hiddenSize: hiddenSize)
        let (expected, overflow) = (step.rowCount * 4).multipliedReportingOverflow(by: hiddenSize)
        guard !overflow, rows.count == expected else {
            throw WireError(
                "Activation.rows", "have \(rows.count) bytes for \(step.rowCount) rows of \(hiddenSize) numbers")
        }
        self.init(step: step, rows: rows)
    }

    private static func rowsOffset(headerByteCount: Int) -> Int {
        (lengthByteCount + headerByteCount + alignment - 1) / alignment * alignment
    }

    private static func header(of bytes: [UInt8]) throws(WireError) -> [UInt8] {
        guard bytes.count >= lengthByteCount else {
            throw WireError("Activation", "has only \(bytes.count) bytes")
        }
        let byteCount = Int(UInt32(littleEndianBytes: bytes[..<lengthByteCount]))
        let room = min(bytes.count - lengthByteCount, WireLimits.headerByteCount)
        guard byteCount > checksumByteCount, byteCount <= room else {
            throw WireError(
                "Activation.header", "claims \(byteCount) bytes, allowed are \(checksumByteCount + 1) to \(room)")
        }
        return Array(bytes[lengthByteCount..<(lengthByteCount + byteCount)])
    }

    private static func check(_ header: [UInt8], _ rows: [UInt8]) throws(WireError) {
        let end = header.count - checksumByteCount
        guard header[end] == checksumTag else {
            throw WireError("ActivationHeader.crc32c", "is not the header's last field")
        }
        let claimed = UInt32(littleEndianBytes: header[(end + 1)...])
        let computed = CRC32C.checksum(rows, continuing: CRC32C.checksum(Array(header[..<end])))
        guard claimed == computed else { throw .wrongChecksum(claimed: claimed, computed: computed) }
    }

    private static func step(_ header: [UInt8], hiddenSize: Int) throws(WireError) -> Step {
        try unsafe WireReader.unpack(header, "ActivationHeader", phalanx__v1__activation_header__unpack) {
            pointer throws(WireError) in
            let message = unsafe pointer.pointee
            let type = unsafe message.element_type
            guard type == PHALANX__V1__ELEMENT_TYPE__ELEMENT_TYPE_F32 else {
                throw WireError("ActivationHeader.element_type", "\(type.rawValue) is not known")
            }
            let width = try WireReader.int(
                unsafe message.hidden_size, 0...WireLimits.hiddenSize, "ActivationHeader.hidden_size")
            let step = try unsafe Step(wire: WireReader.required(message.step, "ActivationHeader.step"))
            let rowCount = try WireReader.int(
                unsafe message.row_count, 0...WireLimits.rowCount, "ActivationHeader.row_count")
            guard rowCount == step.rowCount else {
                throw WireError("ActivationHeader.row_count", "is \(rowCount), the slices have \(step.rowCount)")
            }
            guard rowCount == 0 || width == hiddenSize else {
                throw WireError("ActivationHeader.hidden_size", "is \(width), this model has \(hiddenSize)")
            }
            return step
        }
    }
}

extension WireError {
    private static let checksumField = "Activation.crc32c"

    /// Whether bytes were changed on the way: the connection is to blame rather than the peer's program.
    public var isChecksumError: Bool { field == Self.checksumField }

    fileprivate static func wrongChecksum(claimed: UInt32, computed: UInt32) -> WireError {
        WireError(checksumField, "is \(computed), the header says \(claimed): bytes were changed on the way")
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
