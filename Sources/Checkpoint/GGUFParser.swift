public import Host

/// Reads the header of a GGUF file, believing nothing that the remaining bytes could not hold.
struct GGUFParser {
    /// Limits that no real file comes near; they bound memory and time for a hostile one.
    enum Limit {
        static let metadataCount = 1 << 16
        static let tensorCount = 1 << 16
        static let keyByteCount = 1 << 16
        static let tensorNameByteCount = 256
        static let stringByteCount = 64 << 20
        static let dimensionCount = 4
        static let arrayDepth = 4
        static let alignment = 1 << 20
    }

    private var reader: ByteReader
    private(set) var version: UInt32 = 0
    private(set) var metadata: [String: GGUFValue] = [:]
    private(set) var metadataEntries: [GGUFMetadataEntry] = []
    private(set) var tensors: [String: GGUFTensor] = [:]
    private(set) var tensorNames: [String] = []
    private(set) var headerRange = 0..<0

    private var path: String { reader.file.path }

    /// Reads the whole header.
    init(file: MappedFile) throws(CheckpointError) {
        reader = try ByteReader(file)
        try readVersion()
        // The least entry of each table: a key of one byte with a value of one; a name of one byte with one extent.
        let tensorCount = try reader.count(limit: min(Limit.tensorCount, reader.remaining / 33), "the tensor count")
        let metadataCount = try reader.count(
            limit: min(Limit.metadataCount, reader.remaining / 14), "the metadata count")
        for number in 0..<metadataCount { try readMetadata(number) }
        let alignment = try alignment()
        var infos: [Info] = []
        for number in 0..<tensorCount { infos.append(try readTensorInfo(number)) }
        headerRange = 0..<reader.offset
        try place(infos, alignment: alignment)
    }

    private mutating func readVersion() throws(CheckpointError) {
        let found = try reader.integer(UInt32.self, "the magic number")
        guard found == GGUFFile.magic else {
            throw .malformed(path, "does not begin with 'GGUF'; name a GGUF file or a Hugging Face model directory")
        }
        version = try reader.integer(UInt32.self, "the version")
        if (2...3).contains(version.byteSwapped) {
            throw .unsupported(path, "is a big-endian GGUF file; convert it to little-endian (gguf-convert-endian)")
        }
        guard (2...3).contains(version) else {
            throw .unsupported(path, "is GGUF version \(version); versions 2 and 3 are read, convert the model again")
        }
    }

    private mutating func readMetadata(_ number: Int) throws(CheckpointError) {
        let range = try reader.stringRange(limit: Limit.keyByteCount, "metadata key \(number)")
        let key = try reader.text(range, "metadata key \(number)")
        guard !key.isEmpty else { throw .malformed(path, "metadata key \(number) is empty; the file is corrupt") }
        guard metadata[key] == nil else {
            throw .malformed(path, "metadata key \(quoted(key)) appears twice; the file is corrupt")
        }
        let type = try readType(of: key)
        let start = reader.offset
        metadata[key] = try readValue(type, key: key)
        metadataEntries.append(GGUFMetadataEntry(key: key, type: type, range: start..<reader.offset))
    }

    private mutating func readType(of key: String) throws(CheckpointError) -> GGUFValueType {
        let number = try reader.integer(UInt32.self, "the type of \(quoted(key))")
        guard let type = GGUFValueType(rawValue: number) else {
            throw .malformed(path, "metadata key \(quoted(key)) has the unknown value type \(number)")
        }
        return type
    }

    private mutating func readValue(_ type: GGUFValueType, key: String) throws(CheckpointError) -> GGUFValue {
        switch type {
        case .uint8: .unsigned(UInt64(try reader.integer(UInt8.self, quoted(key))))
        case .uint16: .unsigned(UInt64(try reader.integer(UInt16.self, quoted(key))))
        case .uint32: .unsigned(UInt64(try reader.integer(UInt32.self, quoted(key))))
        case .uint64: .unsigned(try reader.integer(UInt64.self, quoted(key)))
        case .int8: .signed(Int64(try reader.integer(Int8.self, quoted(key))))
        case .int16: .signed(Int64(try reader.integer(Int16.self, quoted(key))))
        case .int32: .signed(Int64(try reader.integer(Int32.self, quoted(key))))
        case .int64: .signed(try reader.integer(Int64.self, quoted(key)))
        case .float32: .float(Double(Float(bitPattern: try reader.integer(UInt32.self, quoted(key)))))
        case .float64: .float(Double(bitPattern: try reader.integer(UInt64.self, quoted(key))))
        case .bool: .bool(try reader.integer(UInt8.self, quoted(key)) != 0)
        case .string: .string(try reader.stringRange(limit: Limit.stringByteCount, quoted(key)))
        case .array: .array(try readArray(key: key, depth: 1))
        }
    }

    private mutating func readArray(key: String, depth: Int) throws(CheckpointError) -> GGUFArray {
        guard depth <= Limit.arrayDepth else {
            throw .malformed(path, "metadata key \(quoted(key)) nests arrays more than \(Limit.arrayDepth) deep")
        }
        let type = try readType(of: key)
        let count = try reader.count(
            limit: max(0, reader.remaining - 8) / type.leastByteCount, "the length of array \(quoted(key))")
        let start = reader.offset
        if let size = type.fixedByteCount {
            // The count was held against the remaining bytes, so the product does not overflow.
            _ = try reader.skip(count * size, "array \(quoted(key))")
        } else if type == .string {
            for _ in 0..<count {
                _ = try reader.stringRange(limit: Limit.stringByteCount, "a string of \(quoted(key))")
            }
        } else {
            for _ in 0..<count { _ = try readArray(key: key, depth: depth + 1) }
        }
        return GGUFArray(elementType: type, count: count, range: start..<reader.offset)
    }

    private func alignment() throws(CheckpointError) -> Int {
        guard let value = metadata["general.alignment"] else { return 32 }
        guard case .unsigned(let alignment) = value, alignment > 0, alignment <= UInt64(Limit.alignment),
            alignment & (alignment - 1) == 0
        else {
            throw .malformed(path, "'general.alignment' must be a power of two up to \(Limit.alignment)")
        }
        return Int(alignment)
    }

    private struct Info {
        let name: String
        let type: TensorType
        let dimensions: [Int]
        let byteCount: Int
        let offset: UInt64
    }

    private mutating func readTensorInfo(_ number: Int) throws(CheckpointError) -> Info {
        let range = try reader.stringRange(limit: Limit.tensorNameByteCount, "the name of tensor \(number)")
        let name = try reader.text(range, "the name of tensor \(number)")
        guard !name.isEmpty else { throw .malformed(path, "tensor \(number) has no name; the file is corrupt") }
        let dimensionCount = try reader.integer(UInt32.self, "the extents of tensor \(quoted(name))")
        guard (1...UInt32(Limit.dimensionCount)).contains(dimensionCount) else {
            throw .malformed(path, "tensor \(quoted(name)) has \(dimensionCount) extents, but 1 to 4 are allowed")
        }
        var dimensions: [Int] = []
        var elementCount = 1
        for _ in 0..<dimensionCount {
            let extent = try reader.integer(UInt64.self, "the extents of tensor \(quoted(name))")
            let (product, overflow) = elementCount.multipliedReportingOverflow(by: Int(clamping: extent))
            guard extent > 0, extent <= UInt64(Int.max), !overflow else {
                throw .malformed(path, "tensor \(quoted(name)) has an impossible extent of \(extent)")
            }
            dimensions.append(Int(extent))
            elementCount = product
        }
        let typeNumber = try reader.integer(UInt32.self, "the type of tensor \(quoted(name))")
        guard let type = TensorType(rawValue: typeNumber) else {
            throw .unsupported(
                path,
                "tensor \(quoted(name)) is stored as \(TensorType.name(ofGGUFType: typeNumber)), which is not "
                    + "supported; quantise the model as one of "
                    + TensorType.allCases.map(\.name).joined(separator: ", "))
        }
        let rows = elementCount / dimensions[0]
        guard let rowByteCount = type.rowByteCount(columns: dimensions[0]) else {
            throw .malformed(
                path,
                "tensor \(quoted(name)) has rows of \(dimensions[0]) numbers, not a multiple of the "
                    + "\(type.blockLength) in a block of \(type.name)")
        }
        let (byteCount, overflow) = rowByteCount.multipliedReportingOverflow(by: rows)
        guard !overflow else { throw .malformed(path, "tensor \(quoted(name)) is larger than any file") }
        let offset = try reader.integer(UInt64.self, "the offset of tensor \(quoted(name))")
        return Info(name: name, type: type, dimensions: dimensions, byteCount: byteCount, offset: offset)
    }

    private mutating func place(_ infos: [Info], alignment: Int) throws(CheckpointError) {
        guard !infos.isEmpty else { return }
        let size = reader.file.byteCount
        // Both terms are far below Int.max: a file offset and at most 2^20.
        let start = (reader.offset + alignment - 1) & ~(alignment - 1)
        tensorNames.reserveCapacity(infos.count)
        for info in infos {
            guard info.offset % UInt64(alignment) == 0 else {
                throw .malformed(
                    path, "tensor \(quoted(info.name)) lies at offset \(info.offset), not a multiple of \(alignment)")
            }
            guard start <= size, info.offset <= UInt64(size - start),
                info.byteCount <= size - start - Int(info.offset)
            else {
                throw .malformed(
                    path,
                    "tensor \(quoted(info.name)) needs \(info.byteCount) bytes at offset \(info.offset) of the data, "
                        + "beyond the file's \(size) bytes: the file is truncated; fetch it again")
            }
            let begin = start + Int(info.offset)
            let tensor = GGUFTensor(
                name: info.name, type: info.type, dimensions: info.dimensions, range: begin..<(begin + info.byteCount))
            guard tensors.updateValue(tensor, forKey: info.name) == nil else {
                throw .malformed(path, "tensor \(quoted(info.name)) appears twice; the file is corrupt")
            }
            tensorNames.append(info.name)
        }
    }
}

extension GGUFFile {
    /// Checks the header of a file that is mapped already.
    ///
    /// - Throws: `CheckpointError` naming the key, tensor or byte that is wrong.
    public init(file: MappedFile) throws(CheckpointError) {
        let parser = try GGUFParser(file: file)
        self.file = file
        version = parser.version
        metadata = parser.metadata
        metadataEntries = parser.metadataEntries
        tensors = parser.tensors
        tensorNames = parser.tensorNames
        headerRange = parser.headerRange
    }
}
