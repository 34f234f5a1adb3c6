import Foundation

/// How texts are compared with words: what looks alike to a reader counts as equal.
enum TextFolding {
    /// What a scalar counts as: decomposed (NFKD, so that two texts are equal exactly when their NFKC is), without case, and
    /// nothing when it cannot be seen.
    static func fold(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        if scalar.isASCII {
            let isUpper = ("A"..."Z").contains(scalar)
            return [isUpper ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar]
        }
        if scalar.properties.isDefaultIgnorableCodePoint { return [] }
        // By way of upper case, so that "ß" is "ss" and both lower-case sigmas are one.
        let folded = String(scalar).decomposedStringWithCompatibilityMapping.uppercased().lowercased()
        return Array(folded.decomposedStringWithCompatibilityMapping.unicodeScalars)
    }

    /// Letters, digits, marks and what joins words.
    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII {
            return ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
                || scalar == "_"
        }
        if scalar.properties.isAlphabetic { return true }
        switch scalar.properties.generalCategory {
        case .decimalNumber, .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark,
            .connectorPunctuation:
            return true
        default: return false
        }
    }

    /// Whether a word may begin or end between two scalars; nil stands for the end of the text.
    ///
    /// Writing without spaces has no other boundaries, so there a word may begin and end anywhere.
    static func isBoundary(_ left: Unicode.Scalar?, _ right: Unicode.Scalar?) -> Bool {
        guard let left, let right else { return true }
        return !(isSpacedWord(left) && isSpacedWord(right))
    }

    private static func isSpacedWord(_ scalar: Unicode.Scalar) -> Bool {
        guard isWord(scalar) else { return false }
        if scalar.isASCII { return true }
        // Thai, Lao, Burmese, Khmer, Hiragana and Katakana.
        let unspaced: [ClosedRange<UInt32>] = [0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3040...0x30FF]
        return !scalar.properties.isIdeographic && !unspaced.contains { $0.contains(scalar.value) }
    }
}
