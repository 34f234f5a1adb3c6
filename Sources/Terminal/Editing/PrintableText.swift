/// Text that may be shown on a terminal: what a model or another machine says must not steer it.
public enum PrintableText {
    /// The text without control characters (line feeds and tabs aside) and without marks that turn the writing's
    /// direction over.
    public static func of(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: steers) else { return text }
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !steers(scalar) { scalars.append(scalar) }
        return String(scalars)
    }

    static func steers(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: false
        case 0..<0x20, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// How many columns of a terminal a character takes: 0, 1 or 2.
    ///
    /// Source: Unicode Standard Annex 11 (East Asian Width), the blocks whose characters are wide, and characters that
    /// are shown as emoji.
    public static func width(of character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        if first.value < 0x300 { return first.value < 0x20 || (0x7F..<0xA0).contains(first.value) ? 0 : 1 }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        let isEmoji = first.properties.isEmojiPresentation || character.unicodeScalars.contains { $0.value == 0xFE0F }
        return isEmoji || wideRanges.contains { $0.contains(first.value) } ? 2 : 1
    }

    public static func width(of text: some StringProtocol) -> Int { text.reduce(0) { $0 + width(of: $1) } }

    /// As much of the text as fits into so many columns; one that is cut ends in "…".
    public static func clipped(_ text: String, columns: Int) -> String {
        guard width(of: text) > columns else { return text }
        var clipped = ""
        var used = 0
        for character in text {
            used += width(of: character)
            guard used < columns else { break }
            clipped.append(character)
        }
        return columns > 0 ? clipped + "…" : ""
    }

    private static let wideRanges: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x17000...0x18CFF, 0x1B000...0x1B2FF, 0x20000...0x3FFFD,
    ]
}
