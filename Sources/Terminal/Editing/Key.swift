/// What somebody does at a keyboard.
enum Key: Hashable, Sendable {
    case text(String)
    /// Text that was pasted: its line ends end no line.
    case paste(String)
    case enter, lineBreak, tab, escape
    case backspace, delete, deleteWordBefore, deleteWordAfter, deleteToStart, deleteToEnd, yank
    case left, right, wordLeft, wordRight, up, down, home, end
    case interrupt, endOfInput, suspend, search, redraw
}

/// Makes keys of the bytes that a terminal sends: UTF-8, and the escape sequences of xterm and its kin.
struct KeyDecoder {
    private enum State {
        case ground
        case text([UInt8], missing: Int)
        case escape
        case sequence([UInt8])
        case paste([UInt8])
    }

    /// The most bytes of one paste that are taken; the rest is dropped.
    static let maxPasteByteCount = 1 << 20
    private static let maxSequenceByteCount = 32
    private static let pasteEnd = Array("\u{1B}[201~".utf8)

    private var state = State.ground

    /// Whether an escape character waits for what may follow it.
    var isUndecided: Bool { if case .escape = state { true } else { false } }

    /// Nothing followed the escape character: it was the key.
    mutating func decide() -> Key? {
        guard isUndecided else { return nil }
        state = .ground
        return .escape
    }

    /// The key that this byte completes.
    mutating func take(_ byte: UInt8) -> Key? {
        switch state {
        case .ground: return begin(byte)
        case .text(var bytes, let missing):
            guard byte & 0xC0 == 0x80 else {
                state = .ground
                // What was cut off is shown as such; this byte begins anew.
                return byte < 0x20 || byte == 0x7F ? begin(byte) : .text("\u{FFFD}")
            }
            bytes.append(byte)
            state = missing > 1 ? .text(bytes, missing: missing - 1) : .ground
            return missing > 1 ? nil : .text(String(decoding: bytes, as: UTF8.self))
        case .escape: return afterEscape(byte)
        case .sequence(var bytes):
            bytes.append(byte)
            guard (0x40...0x7E).contains(byte) || bytes.count > Self.maxSequenceByteCount else {
                state = .sequence(bytes)
                return nil
            }
            state = .ground
            if bytes == Array("200~".utf8) {
                state = .paste([])
                return nil
            }
            return Self.sequences[String(decoding: bytes, as: UTF8.self)]
        case .paste(var bytes):
            // In place: a paste may be long.
            state = .ground
            bytes.append(byte)
            if byte == UInt8(ascii: "~"), bytes.suffix(Self.pasteEnd.count).elementsEqual(Self.pasteEnd) {
                return .paste(Self.pasted(bytes.dropLast(Self.pasteEnd.count)))
            }
            if bytes.count > Self.maxPasteByteCount + Self.pasteEnd.count {
                bytes.remove(at: Self.maxPasteByteCount)
            }
            state = .paste(bytes)
            return nil
        }
    }

    private mutating func begin(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x1B:
            state = .escape
            return nil
        case 0x00..<0x20, 0x7F: return Self.controls[byte]
        case 0x20..<0x80: return .text(String(UnicodeScalar(byte)))
        case 0xC2...0xDF: state = .text([byte], missing: 1)
        case 0xE0...0xEF: state = .text([byte], missing: 2)
        case 0xF0...0xF4: state = .text([byte], missing: 3)
        default: return .text("\u{FFFD}")
        }
        return nil
    }

    private mutating func afterEscape(_ byte: UInt8) -> Key? {
        state = .ground
        switch byte {
        case UInt8(ascii: "["), UInt8(ascii: "O"):
            state = .sequence([])
            return nil
        case UInt8(ascii: "b"): return .wordLeft
        case UInt8(ascii: "f"): return .wordRight
        case UInt8(ascii: "d"): return .deleteWordAfter
        case 0x7F, 0x08: return .deleteWordBefore
        case 0x0D, 0x0A: return .lineBreak
        case 0x1B:
            state = .escape
            return .escape
        default: return nil
        }
    }

    /// Line ends of all systems become one; control characters go.
    private static func pasted(_ bytes: some Sequence<UInt8>) -> String {
        let text = String(decoding: Array(bytes), as: UTF8.self).replacing("\r\n", with: "\n").replacing(
            "\r", with: "\n")
        return PrintableText.of(text)
    }

    private static let controls: [UInt8: Key] = [
        0x01: .home, 0x02: .left, 0x03: .interrupt, 0x04: .endOfInput, 0x05: .end, 0x06: .right, 0x08: .backspace,
        0x09: .tab, 0x0A: .enter, 0x0B: .deleteToEnd, 0x0C: .redraw, 0x0D: .enter, 0x0E: .down, 0x10: .up,
        0x12: .search, 0x15: .deleteToStart, 0x17: .deleteWordBefore, 0x19: .yank, 0x1A: .suspend, 0x7F: .backspace,
    ]

    private static let sequences: [String: Key] = [
        "A": .up, "B": .down, "C": .right, "D": .left, "H": .home, "F": .end, "1~": .home, "7~": .home, "4~": .end,
        "8~": .end, "3~": .delete, "1;5C": .wordRight, "1;3C": .wordRight, "1;5D": .wordLeft, "1;3D": .wordLeft,
        "3;5~": .deleteWordAfter, "13;2u": .lineBreak, "27;2;13~": .lineBreak,
    ]
}
