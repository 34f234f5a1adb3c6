/// What a Unicode scalar is, as far as the pre-tokenizers' expressions ask.
struct ScalarClass: OptionSet {
    let rawValue: UInt16

    /// `\p{Lu}` or `\p{Lt}`.
    static let upper = ScalarClass(rawValue: 1)
    /// `\p{Ll}`.
    static let lower = ScalarClass(rawValue: 2)
    /// `\p{Lm}` or `\p{Lo}`.
    static let otherLetter = ScalarClass(rawValue: 4)
    /// `\p{M}`.
    static let mark = ScalarClass(rawValue: 8)
    /// `\p{N}`.
    static let number = ScalarClass(rawValue: 16)
    /// `\s`: the property White_Space.
    static let space = ScalarClass(rawValue: 32)
    /// Carriage return or line feed.
    static let newline = ScalarClass(rawValue: 64)
    /// `\p{Pc}`, `_` and its kin.
    static let connector = ScalarClass(rawValue: 128)

    /// `\p{L}`.
    static let letter: ScalarClass = [.upper, .lower, .otherLetter]

    init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The class of a scalar.
    init(_ scalar: UInt32) {
        self = scalar < 0x80 ? Self.ascii[Int(scalar)] : Self.lookUp(scalar)
    }

    var isLetter: Bool { !isDisjoint(with: .letter) }
    var isNumber: Bool { contains(.number) }
    var isSpace: Bool { contains(.space) }
    var isNewline: Bool { contains(.newline) }
    /// `\w`.
    var isWordCharacter: Bool { !isDisjoint(with: [.letter, .mark, .number, .connector]) }
    /// `[^\s\p{L}\p{N}]`.
    var isOther: Bool { isDisjoint(with: [.letter, .number, .space]) }
    /// `[^\r\n\p{L}\p{N}]`.
    var canLeadWord: Bool { isDisjoint(with: [.letter, .number, .newline]) }
    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`.
    var isUpperish: Bool { !isDisjoint(with: [.upper, .otherLetter, .mark]) }
    /// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
    var isLowerish: Bool { !isDisjoint(with: [.lower, .otherLetter, .mark]) }

    private static let ascii: [ScalarClass] = (0..<0x80).map { lookUp($0) }

    private static func lookUp(_ value: UInt32) -> ScalarClass {
        guard let scalar = Unicode.Scalar(value) else { return [] }
        let properties = scalar.properties
        if properties.isWhitespace { return value == 10 || value == 13 ? [.space, .newline] : .space }
        switch properties.generalCategory {
        case .uppercaseLetter, .titlecaseLetter: return .upper
        case .lowercaseLetter: return .lower
        case .modifierLetter, .otherLetter: return .otherLetter
        case .nonspacingMark, .spacingMark, .enclosingMark: return .mark
        case .decimalNumber, .letterNumber, .otherNumber: return .number
        case .connectorPunctuation: return .connector
        default: return []
        }
    }
}
