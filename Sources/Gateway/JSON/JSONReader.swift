/// A strict reader of JSON (RFC 8259) from an untrusted sender.
///
/// Depth and number of values are bounded, numbers never overflow silently, strings are valid Unicode, and a key may
/// not come twice in an object (readers disagree on which one counts).
struct JSONReader {
    /// What is wrong with a document, and where.
    struct Failure: Error, Hashable {
        let message: String
        /// Byte offset in the document.
        let offset: Int
    }

    static let maxDepth = 64
    private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

    private let bytes: [UInt8]
    private var offset = 0
    private var remainingValueCount: Int

    private init(_ bytes: [UInt8], maxValueCount: Int) {
        self.bytes = bytes
        remainingValueCount = maxValueCount
    }

    /// Reads exactly one value. Throws `Failure`.
    static func read(_ bytes: [UInt8], maxValueCount: Int = 2_000_000) throws -> JSONValue {
        var reader = JSONReader(bytes, maxValueCount: maxValueCount)
        reader.skipSpace()
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.offset == bytes.count else { throw reader.failure("unexpected text after the value") }
        return value
    }

    private func failure(_ message: String) -> Failure { Failure(message: message, offset: offset) }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.maxDepth else { throw failure("values nested deeper than \(Self.maxDepth)") }
        guard remainingValueCount > 0 else { throw failure("too many values") }
        remainingValueCount -= 1
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case let byte? where byte == UInt8(ascii: "-") || Self.digits.contains(byte): return try number()
        case nil: throw failure("the text ends where a value should be")
        default: throw failure("a value should be here")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
        let text = "\(word)".utf8
        guard bytes[offset...].starts(with: text) else { throw failure("a value should be here") }
        offset += text.count
        return value
    }

    private mutating func object(depth: Int) throws -> JSONValue {
        offset += 1
        var object = JSONObject(members: [])
        var keys: Set<String> = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(object) }
        while true {
            guard next == UInt8(ascii: "\"") else { throw failure("a key in double quotes should be here") }
            let key = try string()
            guard keys.insert(key).inserted else { throw failure("a key comes twice in an object") }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure("':' should be here") }
            skipSpace()
            object.append(key, try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(object) }
            guard take(UInt8(ascii: ",")) else { throw failure("',' or '}' should be here") }
            skipSpace()
        }
    }

    private mutating func array(depth: Int) throws -> JSONValue {
        offset += 1
        var values: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(values) }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(values) }
            guard take(UInt8(ascii: ",")) else { throw failure("',' or ']' should be here") }
            skipSpace()
        }
    }

    private mutating func digits() throws {
        let start = offset
        while let byte = next, Self.digits.contains(byte) { offset += 1 }
        guard offset > start else { throw failure("a digit should be here") }
    }

    private mutating func number() throws -> JSONValue {
        let start = offset
        var isInteger = true
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            offset = start
            throw failure("a number too large to represent")
        }
        return .double(value)
    }

    private mutating func string() throws -> String {
        offset += 1
        var text: [UInt8] = []
        while true {
            guard let byte = next else { throw failure("the text ends inside a string") }
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw failure("a string that is not valid UTF-8 ends here")
                }
                offset += 1
                return string
            case UInt8(ascii: "\\"):
                offset += 1
                try escape(into: &text)
            case 0..<0x20:
                throw failure("a control character inside a string must be escaped")
            default:
                text.append(byte)
                offset += 1
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let byte = next else { throw failure("the text ends inside a string") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw failure("half a surrogate pair") }
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw failure("half a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
            text.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
        default:
            offset -= 1
            throw failure("an unknown escape")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw failure("a hexadecimal digit should be here")
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }
}
