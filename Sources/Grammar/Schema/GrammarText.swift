/// GBNF text in the making, with the rules of JSON that schemas are made of.
///
///     var text = GrammarText()
///     let answer = try text.add(schema: schema)
///     text.define("root", answer)
///     let grammar = try Grammar(gbnf: text.gbnf)
public struct GrammarText: Sendable {
    private var rules: [(name: String, body: String)] = []
    private var byteCount = 0
    private var definedBasics: Set<String> = []
    private var documentCount = 0

    public init() {}

    /// The whole grammar. It needs a rule `root`.
    public var gbnf: String { rules.map { "\($0.name) ::= \($0.body)\n" }.joined() }

    public mutating func define(_ name: String, _ body: String) {
        byteCount += name.utf8.count + body.utf8.count + 6
        rules.append((name, body))
    }

    /// Defines a rule under a fresh name, which is returned.
    public mutating func define(_ body: String) -> String {
        let name = "r\(rules.count)"
        define(name, body)
        return name
    }

    /// A fresh name for a rule that is defined later.
    mutating func reserve() -> String {
        documentCount += 1
        return "s\(documentCount)"
    }

    var isTooLarge: Bool { byteCount > GrammarLimits.textByteCount }

    /// Adds the rules of the JSON values that a schema describes; returns the name of the one to use.
    ///
    /// - Parameter isObject: Whether only objects will do, whatever the schema says.
    /// - Throws: `GrammarError` that names the keyword that cannot be honoured and its place.
    public mutating func add(schema: SchemaValue, isObject: Bool = false) throws(GrammarError) -> String {
        var compiler = SchemaCompiler(document: schema, text: self)
        let name = try isObject ? compiler.compile(objectsOf: schema) : compiler.compile(schema, at: "#")
        self = compiler.text
        guard !isTooLarge else {
            throw GrammarError(
                "the schema is too large: its grammar has more than \(GrammarLimits.textByteCount) bytes")
        }
        return name
    }

    /// What a text has to be to match a regular expression as a whole.
    public static func pattern(_ pattern: String) throws(GrammarError) -> String {
        do {
            return try PatternTranslator.translateText(pattern)
        } catch {
            throw GrammarError("the pattern '\(pattern.prefix(128))' is not supported: \(error.message)")
        }
    }

    /// Adds rules for any text, which may end with `mark` and then `rest`, and holds no `mark` otherwise. Returns the name
    /// of the one to use.
    public mutating func anyText(orEndingWith mark: String, then rest: String) -> String {
        let mark = mark.unicodeScalars.map(\.value)
        // One rule per part of the mark that has just been read (Knuth, Morris and Pratt).
        let names = mark.map { _ in reserve() }
        let known = Set(mark)
        let others = Self.characterClass(ScalarSet(known.map { $0...$0 }).complement)
        for (count, name) in names.enumerated() {
            var ways = ["\"\"", "\(others) \(names[0])"]
            for scalar in known.sorted() {
                let read = mark[..<count] + [scalar]
                let matched = (0...read.count).last { mark.starts(with: read.suffix($0)) } ?? 0
                let next = matched == mark.count ? rest : names[matched]
                ways.append("\(Self.characterClass(ScalarSet([scalar...scalar]))) \(next)")
            }
            define(name, ways.joined(separator: " | "))
        }
        return names.first ?? rest
    }

    /// A literal in GBNF.
    public static func literal(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars { quoted += escaped(scalar) }
        return quoted + "\""
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\"", "\\", "[", "]": "\\" + String(scalar)
        case _ where scalar.value < 0x20 || scalar.value >= 0x7F: hexadecimal(scalar.value)
        default: String(scalar)
        }
    }

    private static func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// A class of characters in GBNF.
    static func characterClass(_ set: ScalarSet) -> String {
        "["
            + set.ranges.map { range in
                range.count == 1
                    ? hexadecimal(range.lowerBound)
                    : hexadecimal(range.lowerBound) + "-" + hexadecimal(range.upperBound)
            }.joined() + "]"
    }

    // MARK: JSON

    /// The names of the rules of JSON itself.
    public enum Basic: String, Sendable {
        case space = "ws"
        case character = "char"
        case string
        case integer, number, boolean, null
        case value, object, array
    }

    /// White space is bounded, as in llama.cpp, so that no answer can consist of it. Numbers stay within what every
    /// reader can hold, and an escaped character is a whole one, never half of a surrogate pair.
    private static let basics: [String: (body: String, needs: [Basic])] = [
        "ws": (#"| " " | "\n"{1,2} [ \t]{0,20}"#, []),
        "char": (
            #"[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" ([0-9A-Ca-cE-Fe-f] [0-9A-Fa-f]{3} | [Dd] [0-7] "#
                + #"[0-9A-Fa-f]{2} | [Dd] [89ABab] [0-9A-Fa-f]{2} "\\u" [Dd] [C-Fc-f] [0-9A-Fa-f]{2}))"#, []
        ),
        "string": (#""\"" char* "\"""#, [.character]),
        "integer": (#""-"? ("0" | [1-9] [0-9]{0,15})"#, []),
        // No exponent after a zero: Foundation on Linux cannot read it.
        "number": (
            #""-"? ("0" ("." [0-9]{1,15})? | [1-9] [0-9]{0,15} ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?)"#, []
        ),
        "boolean": (#""true" | "false""#, []),
        "null": (#""null""#, []),
        "value": (
            "object | array | string | number | boolean | null", [.object, .array, .string, .number, .boolean, .null]
        ),
        "object": (
            #""{" ws (string ":" ws value ("," ws string ":" ws value)* ws)? "}""#, [.space, .string, .value]
        ),
        "array": (#""[" ws (value ("," ws value)* ws)? "]""#, [.space, .value]),
    ]

    /// The name of one of the rules of JSON, which is added with all that it needs.
    public mutating func basic(_ basic: Basic) -> String {
        let name = basic.rawValue
        guard definedBasics.insert(name).inserted, let rule = Self.basics[name] else { return name }
        define(name, rule.body)
        for needed in rule.needs { _ = self.basic(needed) }
        return name
    }
}
