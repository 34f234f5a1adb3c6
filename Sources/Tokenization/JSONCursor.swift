/// A reader of JSON that walks over the bytes and hands out what it meets, RFC 8259, with a bound on nesting.
///
/// Vocabularies need it: keys must keep their exact scalars (a dictionary of `String` would merge canonically equal
/// tokens), and a file of 200,000 tokens should not become a tree first.
struct JSONCursor {
    enum Kind { case object, array, string, number, bool, null }

    private let bytes: [UInt8]
    private let file: String
    private var position = 0
    private var depth = 0

    /// Reads `bytes`, which errors call `file`. Throws when they are not UTF-8.
    init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
        guard bytes.count <= TokenizerLimits.fileByteCount else {
            throw TokenizerError(
                .limitExceeded,
                "\(file) is \(bytes.count) bytes long; at most \(TokenizerLimits.fileByteCount) are accepted")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw TokenizerError(.malformed, "\(file) is not UTF-8")
        }
        self.bytes = bytes
        self.file = file
    }

    func error(_ what: String) -> TokenizerError {
        TokenizerError(.malformed, "\(file), byte \(position): \(what)")
    }

    /// What the next value is.
    mutating func kind() throws(TokenizerError) -> Kind {
        skipSpace()
        guard position < bytes.count else { throw error("the file ends where a value should be") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw error("a value should begin here")
        }
    }

    /// Walks over an object; `visit` gets each key and must consume its value.
    mutating func object(
        _ visit: (inout JSONCursor, _ key: [UInt8]) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        try open("{")
        skipSpace()
        if !take("}") {
            repeat {
                let key = try string()
                try expect(":")
                try visit(&self, key)
                skipSpace()
            } while take(",")
            try expect("}")
        }
        depth -= 1
    }

    /// Walks over an array; `visit` must consume each element.
    mutating func array(_ visit: (inout JSONCursor) throws(TokenizerError) -> Void) throws(TokenizerError) {
        try open("[")
        skipSpace()
        if !take("]") {
            repeat {
                try visit(&self)
                skipSpace()
            } while take(",")
            try expect("]")
        }
        depth -= 1
    }

    /// Reads a string; its bytes are valid UTF-8.
    mutating func string() throws(TokenizerError) -> [UInt8] {
        try expect("\"")
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return Array(bytes[start..<position - 1])
            case UInt8(ascii: "\\"):
                return try escapedString(from: start)
            case 0..<0x20:
                throw error("a control character inside a string")
            default:
                position += 1
            }
        }
        throw error("the file ends inside a string")
    }

    private mutating func escapedString(from start: Int) throws(TokenizerError) -> [UInt8] {
        var result = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return result
            case 0..<0x20: throw error("a control character inside a string")
            case UInt8(ascii: "\\"):
                guard position < bytes.count else { throw error("the file ends inside a string") }
                let escape = bytes[position]
                position += 1
                switch escape {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(escape)
                case UInt8(ascii: "b"): result.append(8)
                case UInt8(ascii: "f"): result.append(12)
                case UInt8(ascii: "n"): result.append(10)
                case UInt8(ascii: "r"): result.append(13)
                case UInt8(ascii: "t"): result.append(9)
                case UInt8(ascii: "u"): UTF8Scalar.append(try escapedScalar(), to: &result)
                default: throw error("an unknown escape inside a string")
                }
            default: result.append(byte)
            }
        }
        throw error("the file ends inside a string")
    }

    private mutating func escapedScalar() throws(TokenizerError) -> UInt32 {
        let first = try hexadecimal()
        if (0xDC00..<0xE000).contains(first) { throw error("half of a surrogate pair inside a string") }
        guard (0xD800..<0xDC00).contains(first) else { return first }
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { throw error("half of a surrogate pair inside a string") }
        position += 2
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second) else { throw error("half of a surrogate pair inside a string") }
        return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    }

    private mutating func hexadecimal() throws(TokenizerError) -> UInt32 {
        guard bytes.count - position >= 4 else { throw error("the file ends inside an escape") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = hexadecimalDigit(bytes[position]) else { throw error("no hexadecimal digit") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    /// Reads a number.
    mutating func number() throws(TokenizerError) -> Double {
        skipSpace()
        let start = position
        while position < bytes.count, position - start < 64, isNumberByte(bytes[position]) { position += 1 }
        guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)), value.isFinite else {
            throw error("this is no number")
        }
        return value
    }

    /// Reads an integer that fits a token id; fast, for vocabularies.
    mutating func id() throws(TokenizerError) -> Int {
        skipSpace()
        var value = 0
        let start = position
        while position < bytes.count, case let digit = Int(bytes[position]) - 0x30, (0...9).contains(digit) {
            value = value * 10 + digit
            position += 1
            if value >= TokenizerLimits.pieceCount {
                throw error("a token id above \(TokenizerLimits.pieceCount - 1)")
            }
        }
        guard position > start, position == bytes.count || !isNumberByte(bytes[position]) else {
            throw error("this is no token id")
        }
        return value
    }

    /// Reads true or false.
    mutating func bool() throws(TokenizerError) -> Bool {
        skipSpace()
        if word("true") { return true }
        if word("false") { return false }
        throw error("neither true nor false")
    }

    /// Passes over any value.
    mutating func skip() throws(TokenizerError) {
        switch try kind() {
        case .object: try object { (cursor, _) throws(TokenizerError) in try cursor.skip() }
        case .array: try array { (cursor) throws(TokenizerError) in try cursor.skip() }
        case .string: _ = try string()
        case .number: _ = try number()
        case .bool: _ = try bool()
        case .null: try null()
        }
    }

    /// Reads null.
    mutating func null() throws(TokenizerError) {
        skipSpace()
        guard word("null") else { throw error("this is no null") }
    }

    /// Checks that nothing follows.
    mutating func end() throws(TokenizerError) {
        skipSpace()
        guard position == bytes.count else { throw error("something follows the end of the value") }
    }

    private mutating func open(_ bracket: Unicode.Scalar) throws(TokenizerError) {
        try expect(bracket)
        depth += 1
        guard depth <= TokenizerLimits.jsonDepth else {
            throw error("nested deeper than \(TokenizerLimits.jsonDepth)")
        }
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(TokenizerError) {
        skipSpace()
        guard take(character) else { throw error("'\(character)' should be here") }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func word(_ text: StaticString) -> Bool {
        let text = Array(text.description.utf8)
        guard bytes.count - position >= text.count, bytes[position..<position + text.count].elementsEqual(text) else {
            return false
        }
        position += text.count
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private func isNumberByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }
}

/// The value of a hexadecimal digit, or nil.
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
