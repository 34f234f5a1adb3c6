/// A small JSON document as a tree. Of equal keys the last one counts.
indirect enum JSONValue: Equatable {
    case object([(key: [UInt8], value: JSONValue)])
    case array([JSONValue])
    case string([UInt8])
    case number(Double)
    case bool(Bool)
    case null

    /// Reads a whole file.
    init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
        var cursor = try JSONCursor(bytes, file: file)
        self = try JSONValue(&cursor)
        try cursor.end()
    }

    /// Reads the next value.
    init(_ cursor: inout JSONCursor) throws(TokenizerError) {
        switch try cursor.kind() {
        case .object:
            var members: [(key: [UInt8], value: JSONValue)] = []
            try cursor.object { (cursor, key) throws(TokenizerError) in
                members.append((key, try JSONValue(&cursor)))
            }
            self = .object(members)
        case .array:
            var elements: [JSONValue] = []
            try cursor.array { (cursor) throws(TokenizerError) in elements.append(try JSONValue(&cursor)) }
            self = .array(elements)
        case .string: self = .string(try cursor.string())
        case .number: self = .number(try cursor.number())
        case .bool: self = .bool(try cursor.bool())
        case .null:
            try cursor.null()
            self = .null
        }
    }

    /// The member of an object, or nil.
    subscript(_ key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key.elementsEqual(key.utf8) }?.value
    }

    /// The members of an object; empty for anything else.
    var members: [(key: [UInt8], value: JSONValue)] {
        if case .object(let members) = self { members } else { [] }
    }

    /// The elements of an array; empty for anything else.
    var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }

    /// A string's bytes.
    var bytes: [UInt8]? { if case .string(let bytes) = self { bytes } else { nil } }

    /// A string as text.
    var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    /// A boolean.
    var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// An integer in the range of token ids.
    var id: Int32? {
        guard case .number(let value) = self, value >= 0, value < Double(TokenizerLimits.pieceCount) else { return nil }
        let id = Int32(value)
        return Double(id) == value ? id : nil
    }

    static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.object(let a), .object(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
        case (.array(let a), .array(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.bool(let a), .bool(let b)): a == b
        case (.null, .null): true
        default: false
        }
    }
}
