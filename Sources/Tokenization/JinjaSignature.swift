/// A Jinja template reduced to what it means: its words and literals, without layout.
///
/// Two templates with equal signatures render equally. Spaces inside tags, quotes, white-space control, parentheses
/// and the way literals are joined do not count; text outside of tags does, as far as it is printed.
struct JinjaSignature: Equatable {
    private enum Token: Equatable {
        case open, close, statementOpen, statementClose, join
        case word(String)
        case literal([UInt8])
    }

    private var tokens: [Token] = []

    /// Reads a template; nil when it is no template at all.
    init?(_ text: String) {
        var bytes = Array(text.utf8)
        guard bytes.count <= TokenizerLimits.templateByteCount else { return nil }
        if bytes.last == 0x0A { bytes.removeLast() }
        var position = 0
        var outside: [UInt8] = []
        var before = Side(isStatement: false, trims: false, beginsLine: true)
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "{"), position + 1 < bytes.count,
                [UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#")].contains(bytes[position + 1])
            else {
                outside.append(bytes[position])
                position += 1
                continue
            }
            let kind = bytes[position + 1]
            let isStatement = kind != UInt8(ascii: "{")
            position += 2
            let trims = position < bytes.count && bytes[position] == UInt8(ascii: "-")
            flush(outside, from: before, to: Side(isStatement: isStatement, trims: trims, beginsLine: false))
            outside = []
            if kind == UInt8(ascii: "#") {
                guard let end = Self.endOfComment(bytes, from: position) else { return nil }
                position = end
            } else {
                guard readTag(bytes, &position, isStatement: isStatement) else { return nil }
            }
            before = Side(isStatement: isStatement, trims: bytes[position - 3] == UInt8(ascii: "-"), beginsLine: false)
        }
        flush(outside, from: before, to: Side(isStatement: false, trims: false, beginsLine: false))
    }

    /// The tag on one side of text outside of tags.
    private struct Side {
        let isStatement: Bool
        let trims: Bool
        let beginsLine: Bool
    }

    /// Text outside of tags means the same as a printed literal, less what the environment of transformers removes:
    /// the line break after a statement (`trim_blocks`) and the indentation before one (`lstrip_blocks`).
    private mutating func flush(_ outside: [UInt8], from before: Side, to after: Side) {
        let isSpace = { (byte: UInt8) in [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
        var text = outside[...]
        var beginsLine = before.beginsLine
        if before.trims {
            text = text.drop(while: isSpace)
        } else if before.isStatement, text.first == 0x0A {
            text = text.dropFirst()
            beginsLine = true
        }
        if after.trims {
            while let last = text.last, isSpace(last) { text = text.dropLast() }
        } else if after.isStatement {
            let lineStart = text.lastIndex(of: 0x0A).map { $0 + 1 } ?? (beginsLine ? text.startIndex : nil)
            if let lineStart, text[lineStart...].allSatisfy(isSpace) { text = text[..<lineStart] }
        }
        if !text.isEmpty { tokens += [.open, .literal(Array(text)), .close] }
    }

    private mutating func readTag(_ bytes: [UInt8], _ position: inout Int, isStatement: Bool) -> Bool {
        tokens.append(isStatement ? .statementOpen : .open)
        let closing = isStatement ? UInt8(ascii: "%") : UInt8(ascii: "}")
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case closing where position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: "}"):
                position += 2
                tokens.append(isStatement ? .statementClose : .close)
                return true
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                guard let literal = Self.literal(bytes, &position) else { return false }
                append(literal)
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "-"):
                position += 1
            case UInt8(ascii: "+"):
                position += 1
                tokens.append(.join)
            case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "."):
                // `message.role` is `message['role']`.
                position += 1
            default:
                let start = position
                while position < bytes.count, Self.isWord(bytes[position]) { position += 1 }
                if position == start { position += 1 }
                tokens.append(.word(String(decoding: bytes[start..<position], as: UTF8.self)))
            }
        }
        return false
    }

    /// A literal joined to a literal is one.
    private mutating func append(_ literal: [UInt8]) {
        if tokens.last == .join, tokens.count >= 2, case .literal(let before) = tokens[tokens.count - 2] {
            tokens.removeLast(2)
            tokens.append(.literal(before + literal))
        } else if tokens.last.map(Self.isName) == true, Self.keys.contains(where: { literal.elementsEqual($0.utf8) }) {
            tokens.append(.word(String(decoding: literal, as: UTF8.self)))
        } else {
            tokens.append(.literal(literal))
        }
    }

    private static let keys = ["role", "content", "tools"]

    private static func isName(_ token: Token) -> Bool { token == .word("message") }

    private static func literal(_ bytes: [UInt8], _ position: inout Int) -> [UInt8]? {
        let quote = bytes[position]
        var text: [UInt8] = []
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == quote { return text }
            guard byte == UInt8(ascii: "\\"), position < bytes.count else {
                text.append(byte)
                continue
            }
            switch bytes[position] {
            case UInt8(ascii: "n"): text.append(10)
            case UInt8(ascii: "t"): text.append(9)
            case UInt8(ascii: "r"): text.append(13)
            default: text.append(bytes[position])
            }
            position += 1
        }
        return nil
    }

    private static func endOfComment(_ bytes: [UInt8], from start: Int) -> Int? {
        var position = start
        while position + 1 < bytes.count {
            if bytes[position] == UInt8(ascii: "#"), bytes[position + 1] == UInt8(ascii: "}") { return position + 2 }
            position += 1
        }
        return nil
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
