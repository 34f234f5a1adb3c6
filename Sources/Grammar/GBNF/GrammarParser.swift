/// Reads GBNF as llama.cpp takes it
/// (https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md): rules `name ::= ...`, literals, character
/// classes, `.`, groups, `|`, `*`, `+`, `?`, `{m}`, `{m,}`, `{m,n}` and comments.
///
/// Errors name line and column. The rule where answers begin is `root`.
struct GrammarParser {
    private let text: [UInt32]
    private var offset = 0
    private var depth = 0
    private var names: [String: Int] = [:]
    private var ruleNames: [String] = []
    private var rules: [GrammarNode?] = []
    private var firstUses: [Int] = []

    /// Reads a whole grammar.
    static func parse(_ text: String) throws(GrammarError) -> GrammarSyntax {
        guard text.utf8.count <= GrammarLimits.textByteCount else {
            throw GrammarError(
                "the grammar has \(text.utf8.count) bytes, at most \(GrammarLimits.textByteCount) are taken")
        }
        guard !text.utf8.contains(0) else { throw GrammarError("the grammar holds a character 0; write it as \\x00") }
        var parser = GrammarParser(text: text.unicodeScalars.map(\.value))
        return try parser.grammar()
    }

    private init(text: [UInt32]) { self.text = text }

    private mutating func grammar() throws(GrammarError) -> GrammarSyntax {
        skipSpace(andLines: true)
        while offset < text.count { try rule() }
        guard let root = names["root"], rules[root] != nil else {
            throw GrammarError("the grammar has no rule 'root', where answers begin")
        }
        var complete: [GrammarNode] = []
        for (index, rule) in rules.enumerated() {
            guard let rule else {
                throw error("the rule '\(ruleNames[index])' is used but never defined", at: firstUses[index])
            }
            complete.append(rule)
        }
        return GrammarSyntax(ruleNames: ruleNames, rules: complete, root: root)
    }

    private func error(_ what: String, at offset: Int? = nil) -> GrammarError {
        let before = text[..<min(offset ?? self.offset, text.count)]
        let line = before.reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
        let column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        return GrammarError("grammar, line \(line), column \(column): \(what)")
    }

    private var next: UInt32? { offset < text.count ? text[offset] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == character.value else { return false }
        offset += 1
        return true
    }

    /// Passes blanks and comments; line ends only where a rule cannot end.
    private mutating func skipSpace(andLines: Bool) {
        while let character = next {
            switch character {
            case 0x20, 0x09: offset += 1
            case 0x23:
                while let character = next, character != 0x0A, character != 0x0D { offset += 1 }
            case 0x0A, 0x0D:
                guard andLines else { return }
                offset += 1
            default: return
            }
        }
    }

    private mutating func rule() throws(GrammarError) {
        let start = offset
        let index = try number(of: name())
        guard rules[index] == nil else { throw error("the rule '\(ruleNames[index])' is defined twice", at: start) }
        skipSpace(andLines: false)
        guard take(":"), take(":"), take("=") else { throw error("'::=' should be here") }
        skipSpace(andLines: true)
        rules[index] = try alternatives(isNested: false)
        guard next == nil || next == 0x0A || next == 0x0D else {
            throw error("the rule should end here: a new line, '|' or another element is possible")
        }
        skipSpace(andLines: true)
    }

    private mutating func name() throws(GrammarError) -> String {
        var name = String.UnicodeScalarView()
        while let character = next, let scalar = Unicode.Scalar(character), Self.isNameScalar(scalar) {
            name.append(scalar)
            offset += 1
        }
        guard !name.isEmpty else { throw error("the name of a rule should be here") }
        return String(name)
    }

    private static func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: false
        }
    }

    private mutating func number(of name: String) throws(GrammarError) -> Int {
        if let index = names[name] { return index }
        guard rules.count < GrammarLimits.ruleCount else {
            throw error("more than \(GrammarLimits.ruleCount) rules")
        }
        names[name] = rules.count
        ruleNames.append(name)
        rules.append(nil)
        firstUses.append(offset - name.unicodeScalars.count)
        return rules.count - 1
    }

    private mutating func alternatives(isNested: Bool) throws(GrammarError) -> GrammarNode {
        var nodes = [try sequence(isNested: isNested)]
        while take("|") {
            skipSpace(andLines: true)
            nodes.append(try sequence(isNested: isNested))
        }
        return nodes.count == 1 ? nodes[0] : .choice(nodes)
    }

    private mutating func sequence(isNested: Bool) throws(GrammarError) -> GrammarNode {
        var nodes: [GrammarNode] = []
        while let character = next, let scalar = Unicode.Scalar(character) {
            switch scalar {
            case "\"": nodes.append(try literal())
            case "[": nodes.append(.scalars(try characterClass()))
            case ".":
                offset += 1
                nodes.append(.scalars(.all))
            case "(":
                guard depth < GrammarLimits.nesting else {
                    throw error("groups nested deeper than \(GrammarLimits.nesting)")
                }
                offset += 1
                depth += 1
                skipSpace(andLines: true)
                nodes.append(try alternatives(isNested: true))
                depth -= 1
                guard take(")") else { throw error("')' should be here") }
            case "*", "+", "?", "{":
                guard let node = nodes.popLast() else { throw error("nothing to repeat stands before '\(scalar)'") }
                nodes.append(try repeated(node))
            case _ where Self.isNameScalar(scalar): nodes.append(.rule(try number(of: name())))
            default: return .sequence(nodes)
            }
            skipSpace(andLines: isNested)
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func repeated(_ node: GrammarNode) throws(GrammarError) -> GrammarNode {
        if take("*") { return .repetition(node, least: 0, most: nil) }
        if take("+") { return .repetition(node, least: 1, most: nil) }
        if take("?") { return .repetition(node, least: 0, most: 1) }
        _ = take("{")
        skipSpace(andLines: false)
        let least = try count()
        skipSpace(andLines: false)
        var most: Int? = least
        if take(",") {
            skipSpace(andLines: false)
            most = next == 0x7D ? nil : try count()
            skipSpace(andLines: false)
        }
        guard take("}") else { throw error("'}' should be here") }
        if let most, most < least { throw error("a repetition of \(least) to \(most) times is impossible") }
        return .repetition(node, least: least, most: most)
    }

    private mutating func count() throws(GrammarError) -> Int {
        var value: Int?
        while let character = next, (0x30...0x39).contains(character) {
            value = (value ?? 0) * 10 + Int(character - 0x30)
            offset += 1
            guard value ?? 0 <= GrammarLimits.repetition else {
                throw error("a repetition of more than \(GrammarLimits.repetition) times")
            }
        }
        guard let value else { throw error("a number should be here") }
        return value
    }

    private mutating func literal() throws(GrammarError) -> GrammarNode {
        let start = offset
        offset += 1
        var text = String.UnicodeScalarView()
        while !take("\"") {
            guard let scalar = try character() else { throw error("this literal has no end", at: start) }
            text.append(scalar)
        }
        return .literal(Array(String(text).utf8))
    }

    private mutating func characterClass() throws(GrammarError) -> ScalarSet {
        let start = offset
        offset += 1
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            guard let low = try character() else { throw error("this class of characters has no end", at: start) }
            var high = low
            if next == 0x2D, offset + 1 < text.count, text[offset + 1] != 0x5D {
                offset += 1
                guard let end = try character() else { throw error("this class of characters has no end", at: start) }
                high = end
            }
            guard low <= high else { throw error("a range of characters that ends before it begins", at: start) }
            ranges.append(low.value...high.value)
        }
        return isNegated ? ScalarSet(ranges).complement : ScalarSet(ranges)
    }

    /// The next character of a literal or a class, escapes undone; nil at the end of the text.
    private mutating func character() throws(GrammarError) -> Unicode.Scalar? {
        guard let value = next else { return nil }
        offset += 1
        guard value == 0x5C else { return Unicode.Scalar(value) }
        guard let escape = next.flatMap(Unicode.Scalar.init) else { return nil }
        offset += 1
        switch escape {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "\\", "\"", "[", "]", "-", "^": return escape
        case "x": return try hexadecimal(digitCount: 2)
        case "u": return try hexadecimal(digitCount: 4)
        case "U": return try hexadecimal(digitCount: 8)
        default:
            throw error(
                "the escape '\\\(escape)' is not known; there are \\n \\r \\t \\\\ \\\" \\[ \\] \\xHH \\uHHHH \\UHHHHHHHH",
                at: offset - 2)
        }
    }

    private mutating func hexadecimal(digitCount: Int) throws(GrammarError) -> Unicode.Scalar {
        let start = offset - 2
        var value: UInt32 = 0
        for _ in 0..<digitCount {
            guard let digit = next.flatMap(Unicode.Scalar.init).flatMap({ Character($0).hexDigitValue }) else {
                throw error("\(digitCount) hexadecimal digits should be here", at: start)
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw error("this is no character (half of a surrogate pair, or beyond U+10FFFF)", at: start)
        }
        return scalar
    }
}
