import Kernels

/// The beginning of a file of packed weights: what it holds, and the checksums of all bytes that follow.
///
/// Little-endian. Fixed fields (`fixedByteCount` bytes), the sections, a CRC-32C for each block of 64 KiB of the packed
/// bytes, zeros up to a multiple of 4 KiB less 4, and the CRC-32C of all that. Then the packed bytes, to the file's end.
struct PackedHeader: Equatable {
    var packingVersion: UInt32
    var part: PackedPart
    /// The checkpoint's fingerprint.
    var fingerprint: String
    var source: SourceDigest
    var sections: [PackedSection]
    var payloadByteCount: Int
    /// One for each block of the packed bytes.
    var blockChecksums: [UInt32]

    private static let magic = Array("PHXPACK\n".utf8)
    private static let formatVersion: UInt32 = 1
    private static let pageByteCount = 4096
    private static let nameByteCount = 64
    private static let fixedByteCount = 48 + 3 * nameByteCount
    private static let sectionByteCount = 48

    /// No honest file has a larger header: its checksums would be those of 256 GiB in one part.
    private static let headerByteLimit = 16 << 20
    private static let sectionLimit = 64

    /// Bytes before the packed ones.
    var byteCount: Int {
        let used = Self.fixedByteCount + sections.count * Self.sectionByteCount + blockChecksums.count * 4 + 4
        return (used + Self.pageByteCount - 1) / Self.pageByteCount * Self.pageByteCount
    }

    /// Bytes of the whole file.
    var fileByteCount: Int { byteCount + payloadByteCount }

    // MARK: Writing

    func encoded() -> [UInt8] {
        var bytes = Self.magic
        func append<Value: FixedWidthInteger>(_ value: Value) {
            for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: value >> shift))
            }
        }
        let (kind, index) = part.code
        for number in [Self.formatVersion, UInt32(byteCount)] { append(number) }
        append(UInt64(payloadByteCount))
        for number in [
            packingVersion, kind, index, UInt32(sections.count), UInt32(CRC32C.blockByteCount),
            UInt32(blockChecksums.count),
        ] { append(number) }
        for name in [fingerprint, source.state, source.content] {
            precondition(name.utf8.count == Self.nameByteCount, "a SHA-256 in hexadecimal")
            bytes += name.utf8
        }
        for section in sections {
            for number in [section.tensor.rawValue, section.layout.rawValue, section.format.ggmlType, 0] {
                append(number)
            }
            for number in [section.rows, section.columns, section.offset, section.byteCount] { append(UInt64(number)) }
        }
        for checksum in blockChecksums { append(checksum) }
        bytes += [UInt8](repeating: 0, count: byteCount - 4 - bytes.count)
        append(CRC32C.checksum(of: bytes))
        return bytes
    }

    /// Why the file does not hold what a plan asks for; nil when it does.
    func mismatch(with plan: PackedPlan, fingerprint wanted: String) -> String? {
        if packingVersion != PackedMatrix.packingVersion {
            return "it was packed in version \(packingVersion) of the layout, this program uses version "
                + "\(PackedMatrix.packingVersion)"
        }
        if fingerprint != wanted || part != plan.part { return "it holds something else than its name says" }
        if sections != plan.sections || payloadByteCount != plan.byteCount {
            return "it holds other formats or shapes than the checkpoint"
        }
        return nil
    }
}

extension PackedHeader {
    /// The bytes that must be read before `byteCount(ofPrefix:)` can tell how many there are in all.
    static let prefixByteCount = 16

    /// The size of the header that begins with these bytes.
    ///
    /// - Throws: `PackedFileError`.
    static func byteCount(ofPrefix bytes: [UInt8], fileByteCount: Int) throws(PackedFileError) -> Int {
        var reader = PackedFieldReader(bytes)
        guard try reader.bytes(magic.count) == magic else { throw PackedFileError("it is no file of packed weights") }
        let version = try reader.integer(UInt32.self)
        guard version == formatVersion else {
            throw PackedFileError("it has version \(version) of the file format, this program version \(formatVersion)")
        }
        let byteCount = Int(try reader.integer(UInt32.self))
        guard byteCount % pageByteCount == 0, (pageByteCount...headerByteLimit).contains(byteCount),
            byteCount <= fileByteCount
        else { throw PackedFileError("its header is damaged or cut off") }
        return byteCount
    }

    /// Reads a whole header.
    ///
    /// - Throws: `PackedFileError` when a byte of it is not as it was written, or the file has another size.
    init(parsing bytes: [UInt8], fileByteCount: Int) throws(PackedFileError) {
        let expected = try Self.byteCount(ofPrefix: bytes, fileByteCount: fileByteCount)
        guard bytes.count == expected else { throw PackedFileError("its header is cut off") }
        var checksumReader = PackedFieldReader(Array(bytes.suffix(4)))
        guard try checksumReader.integer(UInt32.self) == CRC32C.checksum(of: bytes.dropLast(4)) else {
            throw PackedFileError("its header is damaged")
        }
        var reader = PackedFieldReader(Array(bytes.dropLast(4)))
        _ = try reader.bytes(Self.prefixByteCount)
        let payload = try reader.integer(UInt64.self)
        guard payload == UInt64(fileByteCount - bytes.count) else {
            throw PackedFileError("it has \(fileByteCount) bytes, not those that it was written with")
        }
        let payloadByteCount = Int(payload)
        let packingVersion = try reader.integer(UInt32.self)
        let part = try PackedPart(kind: reader.integer(UInt32.self), index: reader.integer(UInt32.self))
        let sectionCount = Int(try reader.integer(UInt32.self))
        let blockByteCount = Int(try reader.integer(UInt32.self))
        let blockCount = Int(try reader.integer(UInt32.self))
        guard sectionCount <= Self.sectionLimit, blockByteCount == CRC32C.blockByteCount,
            blockCount == (payloadByteCount + blockByteCount - 1) / blockByteCount
        else { throw PackedFileError("its header contradicts itself") }
        let fingerprint = try reader.name(Self.nameByteCount)
        let state = try reader.name(Self.nameByteCount)
        let source = SourceDigest(content: try reader.name(Self.nameByteCount), state: state)
        var sections: [PackedSection] = []
        for _ in 0..<sectionCount {
            let section = try reader.section()
            guard section.offset >= sections.last?.end ?? 0, section.end <= payloadByteCount else {
                throw PackedFileError("its sections overlap or reach beyond its end")
            }
            sections.append(section)
        }
        var blockChecksums: [UInt32] = []
        blockChecksums.reserveCapacity(blockCount)
        for _ in 0..<blockCount { blockChecksums.append(try reader.integer(UInt32.self)) }
        self.init(
            packingVersion: packingVersion, part: part, fingerprint: fingerprint, source: source, sections: sections,
            payloadByteCount: payloadByteCount, blockChecksums: blockChecksums)
        guard reader.isZeroToEnd, byteCount == bytes.count else {
            throw PackedFileError("its header has more than it needs")
        }
    }
}

/// What is wrong with a file of packed weights, as the rest of a sentence about it.
struct PackedFileError: Error, Equatable {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

extension PackedPart {
    fileprivate var code: (kind: UInt32, index: UInt32) {
        switch self {
        case .embedding: (0, 0)
        case .layer(let index): (1, UInt32(index))
        case .head: (2, 0)
        }
    }

    fileprivate init(kind: UInt32, index: UInt32) throws(PackedFileError) {
        switch (kind, index) {
        case (0, 0): self = .embedding
        case (1, _): self = .layer(Int(index))
        case (2, 0): self = .head
        default: throw PackedFileError("it names a part that does not exist")
        }
    }
}

/// A cursor over the bytes of a header; it never reads beyond them.
private struct PackedFieldReader {
    private let all: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { all = bytes }

    var isZeroToEnd: Bool { all[offset...].allSatisfy { $0 == 0 } }

    mutating func bytes(_ count: Int) throws(PackedFileError) -> [UInt8] {
        guard count <= all.count - offset else { throw PackedFileError("its header is cut off") }
        defer { offset += count }
        return Array(all[offset..<offset + count])
    }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws(PackedFileError) -> Value {
        try bytes(Value.bitWidth / 8).reversed().reduce(0) { $0 << 8 | Value($1) }
    }

    /// A SHA-256 in lower-case hexadecimal.
    mutating func name(_ count: Int) throws(PackedFileError) -> String {
        let bytes = try bytes(count)
        guard bytes.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw PackedFileError("its header has a name that is none")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    mutating func section() throws(PackedFileError) -> PackedSection {
        let numbers = try (0..<4).map { _ throws(PackedFileError) in try integer(UInt32.self) }
        let sizes = try (0..<4).map { _ throws(PackedFileError) in try integer(UInt64.self) }
        guard let tensor = PackedTensor(rawValue: numbers[0]), let layout = PackedSection.Layout(rawValue: numbers[1]),
            let format = WeightFormat(ggmlType: numbers[2]), numbers[3] == 0,
            sizes.allSatisfy({ $0 < 1 << 46 }), sizes[2] % UInt64(PackedMatrix.alignment) == 0,
            let section = try? PackedSection(
                tensor: tensor, layout: layout, format: format, rows: Int(sizes[0]), columns: Int(sizes[1]),
                offset: Int(sizes[2])),
            section.byteCount == Int(sizes[3])
        else { throw PackedFileError("its header describes a tensor that cannot be") }
        return section
    }
}
