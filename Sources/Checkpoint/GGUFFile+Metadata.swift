extension GGUFFile {
    /// The text under `key`; nil when the key is absent.
    ///
    /// - Throws: `CheckpointError` when the value is no string.
    public func string(_ key: String) throws(CheckpointError) -> String? {
        guard let value = metadata[key] else { return nil }
        guard case .string(let range) = value else { throw wrongType(key, "a string") }
        return try ByteReader(file).text(range, quoted(key))
    }

    /// The whole number under `key`; nil when the key is absent.
    ///
    /// - Throws: `CheckpointError` when the value is no integer or does not fit 64 bits with sign.
    public func integer(_ key: String) throws(CheckpointError) -> Int? {
        switch metadata[key] {
        case nil: return nil
        case .unsigned(let value) where value <= UInt64(Int.max): return Int(value)
        case .signed(let value): return Int(value)
        default: throw wrongType(key, "an integer")
        }
    }

    /// The token id under `key`; nil when the key is absent or holds -1, as converters write for a token that the model
    /// does not have.
    ///
    /// - Throws: `CheckpointError` when the value is no integer.
    public func tokenID(_ key: String) throws(CheckpointError) -> Int? {
        guard let id = try integer(key), id != -1, id != Int(UInt32.max) else { return nil }
        return id
    }

    /// The number under `key`; nil when the key is absent.
    ///
    /// - Throws: `CheckpointError` when the value is no number.
    public func float(_ key: String) throws(CheckpointError) -> Double? {
        switch metadata[key] {
        case nil: return nil
        case .float(let value): return value
        case .unsigned(let value): return Double(value)
        case .signed(let value): return Double(value)
        default: throw wrongType(key, "a number")
        }
    }

    /// The truth value under `key`; nil when the key is absent.
    ///
    /// - Throws: `CheckpointError` when the value is no truth value.
    public func bool(_ key: String) throws(CheckpointError) -> Bool? {
        guard let value = metadata[key] else { return nil }
        guard case .bool(let flag) = value else { throw wrongType(key, "true or false") }
        return flag
    }

    /// The list of texts under `key`; nil when the key is absent. Time and memory in proportion to its bytes.
    ///
    /// - Throws: `CheckpointError` when the value is no list of strings or one of them is not UTF-8.
    public func strings(_ key: String) throws(CheckpointError) -> [String]? {
        guard let array = try array(key, of: [.string], "a list of strings") else { return nil }
        var reader = try ByteReader(file, at: array.range.lowerBound)
        var result: [String] = []
        result.reserveCapacity(array.count)
        for _ in 0..<array.count {
            let range = try reader.stringRange(limit: GGUFParser.Limit.stringByteCount, quoted(key))
            result.append(try reader.text(range, quoted(key)))
        }
        return result
    }

    /// The bytes of the list of texts under `key`, which need not be UTF-8; nil when the key is absent.
    ///
    /// - Throws: `CheckpointError` when the value is no list of strings.
    public func byteStrings(_ key: String) throws(CheckpointError) -> [[UInt8]]? {
        guard let array = try array(key, of: [.string], "a list of strings") else { return nil }
        var reader = try ByteReader(file, at: array.range.lowerBound)
        var result: [[UInt8]] = []
        result.reserveCapacity(array.count)
        for _ in 0..<array.count {
            let range = try reader.stringRange(limit: GGUFParser.Limit.stringByteCount, quoted(key))
            result.append(try reader.byteString(range, quoted(key)))
        }
        return result
    }

    /// The list of numbers under `key`; nil when the key is absent.
    ///
    /// - Throws: `CheckpointError` when the value is no list of 32-bit floats.
    public func floats(_ key: String) throws(CheckpointError) -> [Float]? {
        guard let array = try array(key, of: [.float32], "a list of 32-bit floats") else { return nil }
        var reader = try ByteReader(file, at: array.range.lowerBound)
        var result: [Float] = []
        result.reserveCapacity(array.count)
        for _ in 0..<array.count {
            result.append(Float(bitPattern: try reader.integer(UInt32.self, quoted(key))))
        }
        return result
    }

    /// The list of whole numbers under `key`; nil when the key is absent.
    ///
    /// - Throws: `CheckpointError` when the value is no list of 32-bit integers.
    public func integers(_ key: String) throws(CheckpointError) -> [Int]? {
        guard let array = try array(key, of: [.int32, .uint32], "a list of 32-bit integers") else { return nil }
        var reader = try ByteReader(file, at: array.range.lowerBound)
        var result: [Int] = []
        result.reserveCapacity(array.count)
        for _ in 0..<array.count {
            result.append(
                array.elementType == .int32
                    ? Int(try reader.integer(Int32.self, quoted(key)))
                    : Int(try reader.integer(UInt32.self, quoted(key))))
        }
        return result
    }

    /// How many elements the list under `key` has; nil when the key is absent or no list.
    public func arrayCount(_ key: String) -> Int? {
        guard case .array(let array) = metadata[key] else { return nil }
        return array.count
    }

    private func array(
        _ key: String, of types: [GGUFValueType], _ expected: String
    ) throws(CheckpointError) -> GGUFArray? {
        guard let value = metadata[key] else { return nil }
        guard case .array(let array) = value, types.contains(array.elementType) else {
            throw wrongType(key, expected)
        }
        return array
    }

    private func wrongType(_ key: String, _ expected: String) -> CheckpointError {
        .malformed(path, "metadata key \(quoted(key)) is not \(expected); convert the model again")
    }
}
