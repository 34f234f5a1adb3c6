/// Puts UTF-8 together from bytes that come in pieces, and holds back the bytes of an unfinished character.
///
/// What can no longer become a character is replaced by U+FFFD, one for each maximal part of one, as the Unicode
/// standard recommends (section 3.9) and Python and Rust do.
struct UTF8Assembler {
    private var pending: [UInt8] = []
    private var expected = 0

    /// The bytes held back.
    var pendingBytes: [UInt8] { pending }

    /// Takes bytes; returns the characters that they complete.
    mutating func append(_ bytes: some Sequence<UInt8>) -> String {
        var complete: [UInt8] = []
        for byte in bytes { take(byte, &complete) }
        return String(decoding: complete, as: UTF8.self)
    }

    /// Ends the text; returns U+FFFD when it ends inside a character.
    mutating func finish() -> String {
        defer { pending = [] }
        return pending.isEmpty ? "" : "\u{FFFD}"
    }

    private mutating func take(_ byte: UInt8, _ complete: inout [UInt8]) {
        if let lead = pending.first {
            if isContinuation(byte, lead: lead, index: pending.count) {
                pending.append(byte)
                if pending.count == expected {
                    complete += pending
                    pending.removeAll(keepingCapacity: true)
                }
                return
            }
            complete += [0xEF, 0xBF, 0xBD]
            pending.removeAll(keepingCapacity: true)
        }
        switch byte {
        case 0..<0x80: complete.append(byte)
        case 0xC2...0xDF: begin(byte, 2)
        case 0xE0...0xEF: begin(byte, 3)
        case 0xF0...0xF4: begin(byte, 4)
        default: complete += [0xEF, 0xBF, 0xBD]
        }
    }

    private mutating func begin(_ lead: UInt8, _ byteCount: Int) {
        pending.append(lead)
        expected = byteCount
    }

    /// Whether `byte` may follow; the second byte's range excludes overlong forms, surrogates and beyond U+10FFFF.
    private func isContinuation(_ byte: UInt8, lead: UInt8, index: Int) -> Bool {
        guard index == 1 else { return (0x80...0xBF).contains(byte) }
        switch lead {
        case 0xE0: return (0xA0...0xBF).contains(byte)
        case 0xED: return (0x80...0x9F).contains(byte)
        case 0xF0: return (0x90...0xBF).contains(byte)
        case 0xF4: return (0x80...0x8F).contains(byte)
        default: return (0x80...0xBF).contains(byte)
        }
    }
}
