/// The metadata of a GGUF file that is being made: keys in the order in which they will be written.
public struct GGUFMetadata: Sendable {
    /// A key with its value as the file holds it.
    struct Entry: Sendable {
        let key: String
        let type: GGUFValueType
        let bytes: [UInt8]
    }

    private(set) var entries: [Entry] = []

    /// Nothing yet.
    public init() {}

    /// All keys of a file, their values byte for byte.
    ///
    /// - Throws: `CheckpointError` when the file cannot be read.
    public init(copying gguf: GGUFFile) throws(CheckpointError) {
        let reader = try ByteReader(gguf.file)
        for entry in gguf.metadataEntries {
            let bytes = try reader.byteString(entry.range, quoted(entry.key))
            entries.append(Entry(key: entry.key, type: entry.type, bytes: bytes))
        }
    }

    /// Removes a key, if it is there.
    public mutating func remove(_ key: String) { entries.removeAll { $0.key == key } }

    /// Sets a key to a 32-bit unsigned number.
    public mutating func set(_ key: String, _ value: UInt32) { put(key, .uint32, Self.little(value)) }
    /// Sets a key to a 32-bit float.
    public mutating func set(_ key: String, _ value: Float) { put(key, .float32, Self.little(value.bitPattern)) }
    /// Sets a key to a truth value.
    public mutating func set(_ key: String, _ value: Bool) { put(key, .bool, [value ? 1 : 0]) }
    /// Sets a key to a text.
    public mutating func set(_ key: String, _ value: String) { put(key, .string, Self.string(Array(value.utf8))) }

    /// Sets a key to a list of texts, which need not be UTF-8.
    public mutating func set(_ key: String, _ values: [[UInt8]]) {
        put(key, .array, Self.list(.string, values.count) + values.flatMap(Self.string))
    }

    /// Sets a key to a list of 32-bit floats.
    public mutating func set(_ key: String, _ values: [Float]) {
        put(key, .array, Self.list(.float32, values.count) + values.flatMap { Self.little($0.bitPattern) })
    }

    /// Sets a key to a list of 32-bit integers.
    public mutating func set(_ key: String, _ values: [Int32]) {
        put(key, .array, Self.list(.int32, values.count) + values.flatMap(Self.little))
    }

    /// `general.alignment`, or 32 when it is not set.
    var alignment: Int {
        guard let entry = entries.first(where: { $0.key == "general.alignment" }) else { return 32 }
        return entry.bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// The section of the file: every key, its type and its value.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.reduce(0) { $0 + $1.key.utf8.count + $1.bytes.count + 12 })
        for entry in entries {
            bytes += Self.string(Array(entry.key.utf8))
            bytes += Self.little(entry.type.rawValue)
            bytes += entry.bytes
        }
        return bytes
    }

    /// A key that is set anew moves to the end, as in ggml's `gguf_set_val`.
    private mutating func put(_ key: String, _ type: GGUFValueType, _ bytes: [UInt8]) {
        remove(key)
        entries.append(Entry(key: key, type: type, bytes: bytes))
    }

    static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> Value($0 * 8)) }
    }

    static func string(_ bytes: [UInt8]) -> [UInt8] { little(UInt64(bytes.count)) + bytes }

    private static func list(_ type: GGUFValueType, _ count: Int) -> [UInt8] {
        little(type.rawValue) + little(UInt64(count))
    }
}
