import Host

/// A cursor over the bytes of a mapped file: every read is checked against the end, and says what it was reading.
///
/// `@safe`: `bytes` covers the whole of `file`, which this value keeps alive, and every access is checked first.
@safe struct ByteReader {
    let file: MappedFile
    private(set) var offset: Int
    private let bytes: UnsafeRawBufferPointer
    private let byteCount: Int

    init(_ file: MappedFile, at offset: Int = 0) throws(CheckpointError) {
        self.file = file
        self.offset = offset
        byteCount = file.byteCount
        do throws(HostError) {
            unsafe bytes = try file.unsafeBytes(in: 0..<file.byteCount)
        } catch {
            throw CheckpointError(code: .unreadable, path: file.path, message: error.message)
        }
        guard offset >= 0, offset <= byteCount else { throw truncated("offset \(offset)") }
    }

    /// Bytes from here to the end of the file.
    var remaining: Int { byteCount - offset }

    /// A little-endian integer.
    mutating func integer<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self, _ what: @autoclosure () -> String
    ) throws(CheckpointError) -> Value {
        let width = Value.bitWidth / 8
        guard remaining >= width else { throw truncated(what()) }
        // In bounds by the check above; integers have no invalid bit patterns.
        let value = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: Value.self)
        offset += width
        return Value(littleEndian: value)
    }

    /// The first bytes of a file as a little-endian integer.
    static func first<Value: FixedWidthInteger>(
        _ type: Value.Type, of file: MappedFile
    ) throws(CheckpointError) -> Value {
        var reader = try ByteReader(file)
        return try reader.integer(type, "the first bytes")
    }

    /// A length or count written as 64 bits, at most `limit`.
    mutating func count(
        limit: Int, _ what: @autoclosure () -> String
    ) throws(CheckpointError) -> Int {
        let start = offset
        let value = try integer(UInt64.self, what())
        guard value <= UInt64(max(0, limit)) else {
            throw .malformed(
                file.path,
                "\(what()) at byte \(start) is \(value), but at most \(max(0, limit)) can be meant here: "
                    + "the file is truncated or corrupt; fetch it again")
        }
        return Int(value)
    }

    /// Passes over `byteCount` bytes and returns where they lie.
    mutating func skip(_ byteCount: Int, _ what: @autoclosure () -> String) throws(CheckpointError) -> Range<Int> {
        guard byteCount >= 0, remaining >= byteCount else { throw truncated(what()) }
        let range = offset..<(offset + byteCount)
        offset += byteCount
        return range
    }

    /// Where the content of a string lies: a 64-bit length, then that many bytes.
    mutating func stringRange(limit: Int, _ what: @autoclosure () -> String) throws(CheckpointError) -> Range<Int> {
        let length = try count(limit: min(limit, max(0, remaining - 8)), "the length of \(what())")
        return try skip(length, what())
    }

    /// The UTF-8 text at `range`, which must be one that this reader returned.
    func text(_ range: Range<Int>, _ what: @autoclosure () -> String) throws(CheckpointError) -> String {
        guard range.lowerBound >= 0, range.upperBound <= byteCount else { throw truncated(what()) }
        // In bounds by the check above.
        let slice = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
        guard let text = unsafe String(validating: slice, as: UTF8.self) else {
            throw .malformed(file.path, "\(what()) at byte \(range.lowerBound) is not UTF-8; the file is corrupt")
        }
        return text
    }

    /// A copy of the bytes at `range`, which must be one that this reader returned.
    func byteString(_ range: Range<Int>, _ what: @autoclosure () -> String) throws(CheckpointError) -> [UInt8] {
        guard range.lowerBound >= 0, range.upperBound <= byteCount else { throw truncated(what()) }
        // In bounds by the check above.
        return unsafe [UInt8](bytes[range])
    }

    private func truncated(_ what: String) -> CheckpointError {
        .malformed(
            file.path,
            "ends at byte \(byteCount) in the middle of \(what): the file is truncated or corrupt; fetch it again")
    }
}
