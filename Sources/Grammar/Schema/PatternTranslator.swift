/// Writes a regular expression (the part of ECMA-262 that all dialects share) as the inside of a JSON string in GBNF.
///
/// Classes like `\w` are their ASCII members, and characters come as themselves or in their shortest escape: a part of
/// what the expression matches, the same in every dialect.
struct PatternTranslator {
    private let pattern: [UInt32]
    private let character: String
    private var offset = 0
    private var depth = 0

    /// Characters that stand for themselves in a JSON string.
    static let plain = ScalarSet([0...0x1F, 0x22...0x22, 0x5C...0x5C, 0x7F...0x7F]).complement

    private static let digits = ScalarSet([0x30...0x39])
    private static let word = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    private static let space = ScalarSet([0x09...0x0A, 0x0D...0x0D, 0x20...0x20])
    private static let ascii = ScalarSet([0x20...0x7E])
    private static let lineEnds = ScalarSet([0x0A...0x0A, 0x0D...0x0D, 0x85...0x85, 0x2028...0x2029])
    private static let escapes: [UInt32: String] = [
        0x22: "\\\"", 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x08: "\\b", 0x0C: "\\f",
    ]

    /// Translates a whole pattern.
    ///
    /// - Parameter character: The rule of any character of a JSON string, for what an unanchored pattern leaves open.
    static func translate(_ pattern: String, character: String) throws(GrammarError) -> String {
        guard pattern.utf8.count <= 8192 else { throw GrammarError("it has more than 8192 bytes") }
        var translator = PatternTranslator(
            pattern: pattern.unicodeScalars.map(\.value), character: character)
        let body = try translator.alternatives(isOutermost: true)
        guard translator.next == nil else { throw translator.failure("')' without '('") }
        return body
    }

    /// Translates a pattern that the whole of a text outside of JSON has to match.
    static func translateText(_ pattern: String) throws(GrammarError) -> String {
        try translate(pattern, character: "")
    }

    private init(pattern: [UInt32], character: String) {
        self.pattern = pattern
        self.character = character
    }

    /// Whether the text is the inside of a JSON string.
    private var isInJSON: Bool { !character.isEmpty }

    private func failure(_ what: String) -> GrammarError { GrammarError("\(what), at character \(offset + 1)") }

    private var next: UInt32? { offset < pattern.count ? pattern[offset] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar.value else { return false }
        offset += 1
        return true
    }

    private mutating func alternatives(isOutermost: Bool) throws(GrammarError) -> String {
        var ways: [String] = []
        repeat { ways.append(try sequence(isOutermost: isOutermost)) } while take("|")
        return ways.joined(separator: " | ")
    }

    private mutating func sequence(isOutermost: Bool) throws(GrammarError) -> String {
        let isOpenBefore = isOutermost && !take("^") && isInJSON
        var isOpenAfter = isOutermost && isInJSON
        var parts: [String] = isOpenBefore ? ["\(character)*"] : []
        while let value = next, value != 0x7C, value != 0x29 {
            if value == 0x24 {
                offset += 1
                guard isOutermost, next == nil || next == 0x7C else {
                    throw failure("'$' anywhere but at the end is not supported")
                }
                isOpenAfter = false
                break
            }
            parts.append(try quantified(try atom()))
        }
        if isOpenAfter { parts.append("\(character)*") }
        return parts.isEmpty ? "\"\"" : parts.joined(separator: " ")
    }

    private mutating func quantified(_ atom: String) throws(GrammarError) -> String {
        var result = atom
        if take("*") {
            result += "*"
        } else if take("+") {
            result += "+"
        } else if take("?") {
            result += "?"
        } else if take("{") {
            var bounds = ""
            while let value = next, value != 0x7D, let scalar = Unicode.Scalar(value) {
                guard bounds.count < 16, "0123456789,".unicodeScalars.contains(scalar) else {
                    throw failure("'{' must begin a repetition; write '\\{' for the character")
                }
                bounds.unicodeScalars.append(scalar)
                offset += 1
            }
            let parts = bounds.split(separator: ",", omittingEmptySubsequences: false)
            guard take("}"), (1...2).contains(parts.count), !parts[0].isEmpty else {
                throw failure("a repetition must be {m}, {m,} or {m,n}")
            }
            result += "{\(bounds)}"
        } else {
            return atom
        }
        // Lazy or not, the same texts match.
        _ = take("?")
        if let value = next, [0x2A, 0x2B, 0x3F, 0x7B].contains(value) { throw failure("a repetition of a repetition") }
        return result
    }

    private mutating func atom() throws(GrammarError) -> String {
        guard let value = next, let scalar = Unicode.Scalar(value) else { throw failure("the pattern ends too early") }
        switch scalar {
        case "(":
            offset += 1
            if take("?") {
                guard take(":") else { throw failure("groups that begin with '(?' are not supported, but for '(?:'") }
            }
            guard depth < 24 else { throw failure("groups nested deeper than 24") }
            depth += 1
            let body = try alternatives(isOutermost: false)
            depth -= 1
            guard take(")") else { throw failure("')' is missing") }
            return "(\(body))"
        case "[": return try emit(try characterClass())
        case ".":
            offset += 1
            return try emit(Self.lineEnds.complement)
        case "\\": return try emit(try escape(inClass: false))
        case "^", "*", "+", "?", "{": throw failure("'\(scalar)' is not supported here")
        default:
            offset += 1
            return try emit(ScalarSet([value...value]))
        }
    }

    private mutating func escape(inClass: Bool) throws(GrammarError) -> ScalarSet {
        offset += 1
        guard let value = next, let scalar = Unicode.Scalar(value) else { throw failure("the pattern ends too early") }
        offset += 1
        func single(_ value: UInt32) -> ScalarSet { ScalarSet([value...value]) }
        switch scalar {
        case "d": return Self.digits
        case "w": return Self.word
        case "s": return Self.space
        case "D": return Self.ascii.intersection(Self.digits.complement)
        case "W": return Self.ascii.intersection(Self.word.complement)
        case "S": return Self.ascii.intersection(Self.space.complement)
        case "n": return single(0x0A)
        case "r": return single(0x0D)
        case "t": return single(0x09)
        case "f": return single(0x0C)
        case "x": return single(try hexadecimal(2))
        case "u": return single(try hexadecimal(4))
        case _ where scalar.isASCII && scalar.properties.isAlphabetic || Self.digits.contains(value):
            throw failure("the escape '\\\(scalar)' is not supported")
        default: return single(value)
        }
    }

    private mutating func hexadecimal(_ digitCount: Int) throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digitCount {
            guard let digit = next.flatMap(Unicode.Scalar.init).flatMap({ Character($0).hexDigitValue }) else {
                throw failure("\(digitCount) hexadecimal digits should be here")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        guard Unicode.Scalar(value) != nil else { throw failure("half of a surrogate pair is not supported") }
        return value
    }

    private mutating func characterClass() throws(GrammarError) -> ScalarSet {
        offset += 1
        let isNegated = take("^")
        var set = ScalarSet([])
        while !take("]") {
            guard let value = next else { throw failure("']' is missing") }
            var low = ScalarSet([value...value])
            if value == 0x5C {
                low = try escape(inClass: true)
            } else {
                offset += 1
            }
            guard next == 0x2D, offset + 1 < pattern.count, pattern[offset + 1] != 0x5D else {
                set = set.union(low)
                continue
            }
            offset += 1
            guard let end = next else { throw failure("']' is missing") }
            var high = ScalarSet([end...end])
            if end == 0x5C {
                high = try escape(inClass: true)
            } else {
                offset += 1
            }
            guard let first = low.ranges.first, first.count == 1, low.ranges.count == 1, let last = high.ranges.first,
                last.count == 1, high.ranges.count == 1, first.lowerBound <= last.lowerBound
            else { throw failure("a range of characters that is none") }
            set = set.union(ScalarSet([first.lowerBound...last.lowerBound]))
        }
        return isNegated ? set.complement : set
    }

    /// The characters as they are written in the text.
    private func emit(_ set: ScalarSet) throws(GrammarError) -> String {
        guard isInJSON else {
            guard !set.isEmpty else { throw failure("a class without characters") }
            return GrammarText.characterClass(set)
        }
        let plain = set.intersection(Self.plain)
        var ways = plain.isEmpty ? [] : [GrammarText.characterClass(plain)]
        for (scalar, escape) in Self.escapes.sorted(by: { $0.key < $1.key }) where set.contains(scalar) {
            ways.append(GrammarText.literal(escape))
        }
        guard !ways.isEmpty else { throw failure("a class without characters that JSON can hold") }
        return ways.count == 1 ? ways[0] : "(\(ways.joined(separator: " | ")))"
    }
}
