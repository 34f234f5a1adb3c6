extension SchemaCompiler {
    // MARK: Strings

    mutating func compile(string keywords: SchemaKeywords) throws(GrammarError) -> String {
        let least = try keywords.count("minLength")
        let most = try keywords.count("maxLength")
        let shape = keywords["pattern"] ?? keywords["format"]
        guard let shape else {
            guard least ?? 0 > 0 || most != nil else { return text.basic(.string) }
            if let most, most < least ?? 0 { throw keywords.failure("'maxLength' is below 'minLength'") }
            let character = text.basic(.character)
            return text.define("\"\\\"\" \(character){\(least ?? 0),\(most.map(String.init) ?? "")} \"\\\"\"")
        }
        guard least == nil, most == nil, keywords["pattern"] == nil || keywords["format"] == nil else {
            throw keywords.failure("only one of 'pattern', 'format' and a length is supported for a string")
        }
        guard case .string(let value) = shape else {
            throw keywords.wrong(keywords["pattern"] == nil ? "format" : "pattern", "a string")
        }
        var pattern = value
        if keywords["pattern"] == nil {
            guard let known = StringFormat.patterns[value] else {
                let names = StringFormat.patterns.keys.sorted().joined(separator: ", ")
                throw keywords.failure("the format '\(value.prefix(64))' is not supported; there are \(names)")
            }
            pattern = known
        }
        let character = text.basic(.character)
        do {
            let body = try PatternTranslator.translate(pattern, character: character)
            return text.define("\"\\\"\" (\(body)) \"\\\"\"")
        } catch {
            throw keywords.failure("the pattern '\(pattern.prefix(128))' is not supported: \(error.message)")
        }
    }

    // MARK: Numbers

    /// The bounds of a number; nil where there is none.
    private func bounds(_ keywords: SchemaKeywords) throws(GrammarError) -> (low: Bound?, high: Bound?) {
        func bound(_ key: String, isExclusive: Bool) throws(GrammarError) -> Bound? {
            guard let value = keywords[key] else { return nil }
            guard let number = value.number, number.magnitude <= 1e15 else {
                throw keywords.wrong(key, "a number between -1e15 and 1e15")
            }
            return Bound(value: number, isExclusive: isExclusive)
        }
        let lows = [
            try bound("minimum", isExclusive: false), try bound("exclusiveMinimum", isExclusive: true),
        ].compactMap { $0 }
        let highs = [
            try bound("maximum", isExclusive: false), try bound("exclusiveMaximum", isExclusive: true),
        ].compactMap { $0 }
        return (
            lows.max { ($0.value, $0.isExclusive ? 1 : 0) < ($1.value, $1.isExclusive ? 1 : 0) },
            highs.min { ($0.value, $0.isExclusive ? 0 : 1) < ($1.value, $1.isExclusive ? 0 : 1) }
        )
    }

    private struct Bound {
        let value: Double
        let isExclusive: Bool

        /// The least integer not below the bound.
        var least: Int64 {
            let integer = value.rounded(.up)
            return Int64(integer) + (isExclusive && integer == value ? 1 : 0)
        }

        /// The greatest integer not above the bound.
        var greatest: Int64 {
            let integer = value.rounded(.down)
            return Int64(integer) - (isExclusive && integer == value ? 1 : 0)
        }
    }

    /// The integers that are written go no further.
    private static var limit: Int64 { 9_999_999_999_999_999 }

    mutating func compile(integer keywords: SchemaKeywords) throws(GrammarError) -> String {
        if let step = keywords["multipleOf"], step.number != 1 {
            throw keywords.failure("the keyword 'multipleOf' is not supported")
        }
        let (low, high) = try bounds(keywords)
        guard low != nil || high != nil else { return text.basic(.integer) }
        let range = (low?.least ?? -Self.limit, high?.greatest ?? Self.limit)
        guard range.0 <= range.1 else { throw keywords.failure("no integer lies within the bounds") }
        return text.define(IntegerRange.gbnf(range.0...range.1))
    }

    mutating func compile(number keywords: SchemaKeywords) throws(GrammarError) -> String {
        guard keywords["multipleOf"] == nil else { throw keywords.failure("the keyword 'multipleOf' is not supported") }
        let (low, high) = try bounds(keywords)
        guard low != nil || high != nil else { return text.basic(.number) }
        let least = low?.least ?? -Self.limit
        let greatest = high?.greatest ?? Self.limit
        var ways: [String] = []
        if least <= greatest { ways.append(IntegerRange.gbnf(least...greatest)) }
        // A fraction moves a number away from zero by less than one; there must be room for it.
        let up = max(0, least)
        if up < greatest { ways.append("(\(IntegerRange.gbnf(up...greatest - 1))) \".\" [0-9]{1,15}") }
        let down = max(0, -greatest)
        if down < -least { ways.append("\"-\" (\(IntegerRange.gbnf(down...(-least - 1)))) \".\" [0-9]{1,15}") }
        guard !ways.isEmpty else {
            throw keywords.failure("bounds with no integer between them are not supported; widen them")
        }
        return text.define(ways.joined(separator: " | "))
    }
}

/// Ranges of integers, digit by digit.
enum IntegerRange {
    /// The integers of a range in decimal, without leading zeros and without -0.
    static func gbnf(_ range: ClosedRange<Int64>) -> String {
        var ways: [String] = []
        if range.lowerBound < 0 {
            let magnitudes = max(1, range.upperBound < 0 ? range.upperBound.magnitude : 1)...range.lowerBound.magnitude
            ways.append("\"-\" (\(naturals(magnitudes)))")
        }
        if range.upperBound >= 0 { ways.append(naturals(UInt64(max(0, range.lowerBound))...UInt64(range.upperBound))) }
        return ways.joined(separator: " | ")
    }

    private static func naturals(_ range: ClosedRange<UInt64>) -> String {
        let low = digits(range.lowerBound)
        let high = digits(range.upperBound)
        guard low.count < high.count else { return sameLength(low[...], high[...]) }
        var ways = [sameLength(low[...], Array(repeating: 9, count: low.count)[...])]
        if high.count - low.count > 1 { ways.append("[1-9] [0-9]{\(low.count),\(high.count - 2)}") }
        ways.append(sameLength([1] + Array(repeating: 0, count: high.count - 1), high[...]))
        return ways.joined(separator: " | ")
    }

    private static func digits(_ value: UInt64) -> [Int] { String(value).compactMap(\.wholeNumberValue) }

    private static func any(_ count: Int) -> String { count == 0 ? "" : "[0-9]{\(count)}" }

    private static func oneOf(_ low: Int, _ high: Int) -> String { low == high ? "\"\(low)\"" : "[\(low)-\(high)]" }

    private static func sameLength(_ low: ArraySlice<Int>, _ high: ArraySlice<Int>) -> String {
        guard let first = low.first, let last = high.first else { return "\"\"" }
        let restLow = low.dropFirst()
        let restHigh = high.dropFirst()
        if restLow.allSatisfy({ $0 == 0 }) && restHigh.allSatisfy({ $0 == 9 }) {
            return "\(oneOf(first, last)) \(any(restLow.count))"
        }
        if first == last { return "\"\(first)\" (\(sameLength(restLow, restHigh)))" }
        let zeros = Array(repeating: 0, count: restLow.count)[...]
        let nines = Array(repeating: 9, count: restLow.count)[...]
        var ways = ["\"\(first)\" (\(sameLength(restLow, nines)))"]
        if last - first > 1 { ways.append("\(oneOf(first + 1, last - 1)) \(any(restLow.count))") }
        ways.append("\"\(last)\" (\(sameLength(zeros, restHigh)))")
        return ways.joined(separator: " | ")
    }
}

/// Formats of strings as patterns: what matches is of the format, though not all of it may match.
enum StringFormat {
    private static let date =
        "[1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"
        + "02-(0[1-9]|1[0-9]|2[0-8]))"
    private static let time =
        #"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"#
    private static let label = "[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
    private static let byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

    static let patterns: [String: String] = [
        "date": "^\(date)$",
        "time": "^\(time)$",
        "date-time": "^\(date)T\(time)$",
        "duration": "^P([0-9]{1,4}W|[0-9]{1,4}D(T[0-9]{1,4}H)?|T[0-9]{1,4}[HMS])$",
        "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        "ipv4": "^(\(byte)\\.){3}\(byte)$",
        "ipv6": "^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$",
        "hostname": "^\(label)(\\.\(label)){0,5}$",
        "email": "^[A-Za-z0-9_+-]{1,30}(\\.[A-Za-z0-9_+-]{1,30}){0,2}@(\(label)\\.){1,4}[A-Za-z]{2,12}$",
        "uri": "^https?://(\(label)\\.){1,4}[A-Za-z]{2,12}(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~-]{1,60}){0,20}/?$",
    ]
}
