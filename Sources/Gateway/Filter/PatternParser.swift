/// Why a regular expression is not taken.
struct PatternError: Error, Hashable {
    let message: String
    /// In scalars from the beginning of the pattern.
    let offset: Int
}

/// A regular expression as a tree.
indirect enum PatternTree: Hashable, Sendable {
    enum Assertion: Hashable, Sendable {
        case begin, end, boundary, noBoundary
    }

    case empty
    case scalars(ScalarSet)
    case assertion(Assertion)
    case sequence([PatternTree])
    case choice([PatternTree])
    /// `most` is nil for any number.
    case repetition(PatternTree, least: Int, most: Int?)
}

/// Reads regular expressions in the usual notation, as far as they can be matched in linear time: no back-references and no
/// looking around.
struct PatternParser {
    static let maxDepth = 32
    static let maxRepetition = 256

    private let scalars: [Unicode.Scalar]
    private var offset = 0
    private var ignoresCase = false

    private init(_ text: String) { scalars = Array(text.unicodeScalars) }

    static func parse(_ text: String) throws(PatternError) -> PatternTree {
        var parser = PatternParser(text)
        if text.hasPrefix("(?i)") {
            parser.ignoresCase = true
            parser.offset = 4
        }
        let tree = try parser.choice(depth: 0)
        guard parser.offset == parser.scalars.count else { throw parser.failure("there is a ')' too many") }
        return tree
    }

    private var next: Unicode.Scalar? { offset < scalars.count ? scalars[offset] : nil }

    private func failure(_ message: String) -> PatternError { PatternError(message: message, offset: offset) }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        offset += 1
        return true
    }

    private mutating func choice(depth: Int) throws(PatternError) -> PatternTree {
        guard depth <= Self.maxDepth else { throw failure("groups are nested deeper than \(Self.maxDepth)") }
        var branches = [try sequence(depth: depth)]
        while take("|") { branches.append(try sequence(depth: depth)) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence(depth: Int) throws(PatternError) -> PatternTree {
        var parts: [PatternTree] = []
        while let next, next != "|", next != ")" {
            let atom = try atom(depth: depth)
            parts.append(try repeated(atom))
        }
        return parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func repeated(_ atom: PatternTree) throws(PatternError) -> PatternTree {
        let bounds: (least: Int, most: Int?)
        switch next {
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "?": bounds = (0, 1)
        case "{": bounds = try counts()
        default: return atom
        }
        offset += 1
        // Whether a match is long or short makes no difference here.
        _ = take("?")
        if let next, ["*", "+", "?", "{"].contains(next) { throw failure("there is nothing to repeat") }
        return .repetition(atom, least: bounds.least, most: bounds.most)
    }

    /// Stops before the closing brace.
    private mutating func counts() throws(PatternError) -> (least: Int, most: Int?) {
        offset += 1
        let least = try number()
        var most: Int? = least
        if take(",") { most = next == "}" ? nil : try number() }
        guard next == "}", most ?? least >= least else { throw failure("a repetition is written {2}, {2,} or {2,5}") }
        return (least, most)
    }

    private mutating func number() throws(PatternError) -> Int {
        var value = 0
        let start = offset
        while let next, ("0"..."9").contains(next) {
            value = value * 10 + Int(next.value - 48)
            guard value <= Self.maxRepetition else {
                throw failure("at most \(Self.maxRepetition) repetitions can be asked")
            }
            offset += 1
        }
        guard offset > start else { throw failure("a number is missing; a brace itself is written \\{") }
        return value
    }

    private mutating func atom(depth: Int) throws(PatternError) -> PatternTree {
        guard let scalar = next else { return .empty }
        offset += 1
        switch scalar {
        case "(":
            if take("?") {
                guard take(":") else {
                    throw failure(
                        "only groups (?:...) are known, and (?i) at the very beginning; looking around is not")
                }
            }
            let inner = try choice(depth: depth + 1)
            guard take(")") else { throw failure("a group is not closed: ')' is missing") }
            return inner
        case "[": return .scalars(try scalarClass())
        case ".": return .scalars(.any)
        case "^": return .assertion(.begin)
        case "$": return .assertion(.end)
        case "*", "+", "?", "{":
            offset -= 1
            throw failure("there is nothing to repeat")
        case "\\":
            if take("b") { return .assertion(.boundary) }
            if take("B") { return .assertion(.noBoundary) }
            return .scalars(try escape())
        default: return .scalars(single(scalar))
        }
    }

    private func single(_ scalar: Unicode.Scalar) -> ScalarSet {
        ScalarSet(ranges: [scalar.value...scalar.value], ignoresCase: ignoresCase)
    }

    /// After a backslash.
    private mutating func escape() throws(PatternError) -> ScalarSet {
        guard let scalar = next else { throw failure("a backslash stands at the end") }
        offset += 1
        switch scalar {
        case "d", "D": return ScalarSet(members: [.init(kind: .digit, isNegated: scalar == "D")])
        case "w", "W": return ScalarSet(members: [.init(kind: .word, isNegated: scalar == "W")])
        case "s", "S": return ScalarSet(members: [.init(kind: .space, isNegated: scalar == "S")])
        case "n": return single("\n")
        case "r": return single("\r")
        case "t": return single("\t")
        case "f": return single("\u{C}")
        case "v": return single("\u{B}")
        case "x": return single(try hexadecimal(2))
        case "u": return single(try hexadecimal(4))
        default:
            guard !TextFolding.isWord(scalar) else {
                offset -= 1
                throw failure("\\\(scalar) is not known; back-references are not")
            }
            return single(scalar)
        }
    }

    private mutating func hexadecimal(_ digitCount: Int) throws(PatternError) -> Unicode.Scalar {
        let digits = String(String.UnicodeScalarView(scalars[offset..<min(offset + digitCount, scalars.count)]))
        guard digits.utf8.count == digitCount, digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw failure("\(digitCount) hexadecimal digits of a character are missing") }
        offset += digitCount
        return scalar
    }

    /// After the opening bracket.
    private mutating func scalarClass() throws(PatternError) -> ScalarSet {
        var set = ScalarSet(ignoresCase: ignoresCase)
        set.isNegated = take("^")
        var isFirst = true
        while isFirst || next != "]" {
            isFirst = false
            guard let first = try classMember(&set) else { continue }
            guard next == "-", offset + 1 < scalars.count, scalars[offset + 1] != "]" else {
                set.ranges.append(first...first)
                continue
            }
            offset += 1
            guard let last = try classMember(&set), last >= first else {
                throw failure("the range ends before it begins")
            }
            set.ranges.append(first...last)
        }
        offset += 1
        return set
    }

    /// One member: a scalar's value, or nil for a kind that was added to the set.
    private mutating func classMember(_ set: inout ScalarSet) throws(PatternError) -> UInt32? {
        guard let scalar = next else { throw failure("a class is not closed: ']' is missing") }
        offset += 1
        guard scalar == "\\" else { return scalar.value }
        let escaped = try escape()
        guard escaped.members.isEmpty else {
            set.members += escaped.members
            return nil
        }
        return escaped.ranges[0].lowerBound
    }
}
