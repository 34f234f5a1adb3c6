import Grammar
public import Tokenization

/// How long it takes to find out which tokens may come next under a grammar, for a real vocabulary.
///
/// Answers are random walks: every token that may come is as likely as any other, and an answer that may end does so one
/// time in four. That leads to stranger places than any model would.
public struct GrammarBench {
    /// What was measured for one grammar, in microseconds per token: the mask, and the step by the token that came.
    public struct Measurement: Sendable {
        public let name: String
        public let tokenCount: Int
        /// Compiling and looking at the usual places beforehand, in milliseconds.
        public let preparationMilliseconds: Double
        public let medianMicroseconds: Double
        public let p99Microseconds: Double
        public let mostMicroseconds: Double
        /// The median and the worst of the first answer alone, which finds nothing that earlier ones left.
        public let firstMedianMicroseconds: Double
        public let firstMostMicroseconds: Double
    }

    /// A grammar by name, and its text.
    public static let grammars: [(name: String, gbnf: @Sendable () throws -> String)] = [
        ("json object", { try text { $0.basic(.object) } }),
        ("flat schema", { try text { try $0.add(schema: person) } }),
        ("nested schema", { try text { try $0.add(schema: catalogue) } }),
        ("bounded strings", { try text { try $0.add(schema: bounded) } }),
        ("sentences (GBNF)", { "root ::= ([A-Z] [a-z]* (\" \" [a-z]+){2,20} [.!?] \" \"?){1,5}" }),
    ]

    private static func text(_ root: (inout GrammarText) throws -> String) throws -> String {
        var text = GrammarText()
        text.define("root", try root(&text))
        return text.gbnf
    }

    private static func object(_ properties: [(String, SchemaValue)]) -> SchemaValue {
        .object([
            .init(key: "type", value: .string("object")),
            .init(key: "properties", value: .object(properties.map { .init(key: $0.0, value: $0.1) })),
            .init(key: "required", value: .array(properties.map { .string($0.0) })),
            .init(key: "additionalProperties", value: .bool(false)),
        ])
    }

    private static func typed(_ type: String, _ more: (String, SchemaValue)...) -> SchemaValue {
        .object([.init(key: "type", value: .string(type))] + more.map { .init(key: $0.0, value: $0.1) })
    }

    private static let person = object([
        ("name", typed("string")), ("age", typed("integer", ("minimum", .integer(0)), ("maximum", .integer(150)))),
        ("email", typed("string", ("format", .string("email")))), ("active", typed("boolean")),
        ("role", .object([.init(key: "enum", value: .array(["user", "admin", "guest"].map { .string($0) }))])),
        ("tags", typed("array", ("items", typed("string")), ("maxItems", .integer(8)))),
    ])

    private static let catalogue = object([
        ("title", typed("string")),
        (
            "items",
            typed(
                "array",
                (
                    "items",
                    object([
                        ("id", typed("string", ("format", .string("uuid")))), ("price", typed("number")),
                        ("added", typed("string", ("format", .string("date-time")))),
                        ("size", object([("width", typed("number")), ("height", typed("number"))])),
                        ("notes", typed("array", ("items", typed("string")))),
                    ])
                ))
        ),
    ])

    private static let bounded = object([
        ("short", typed("string", ("minLength", .integer(2)), ("maxLength", .integer(20)))),
        ("long", typed("string", ("maxLength", .integer(2000)))),
        ("list", typed("array", ("items", typed("string", ("maxLength", .integer(64)))), ("maxItems", .integer(50)))),
    ])

    private let vocabulary: TokenVocabulary
    private let answerCount: Int
    private static let answerTokenCount = 256

    /// - Parameter answerCount: Answers per grammar.
    public init(_ definition: TokenizerDefinition, answerCount: Int) throws {
        guard (1...10_000).contains(answerCount) else {
            throw BenchError("\(answerCount) answers are impossible: 1 to 10000")
        }
        let tokenizer = try Tokenizer(definition)
        vocabulary = try TokenVocabulary(
            tokens: (0..<Int32(definition.vocabularySize)).map { tokenizer.tokenBytes($0) },
            endTokens: definition.endOfSequenceIDs, hasDummyPrefix: tokenizer.stripsLeadingSpace)
        self.answerCount = answerCount
    }

    /// Measures one of `grammars`.
    public func measure(_ name: String, _ gbnf: () throws -> String) throws -> Measurement {
        let clock = ContinuousClock()
        let text = try gbnf()
        let begun = clock.now
        var machine = GrammarMachine(try Grammar(gbnf: text), vocabulary)
        machine.prepare()
        let preparation = clock.now - begun
        var random = SplitMix64(seed: 7)
        var times: [Double] = []
        var first: [Double] = []
        for answer in 0..<answerCount {
            var state = machine.start(beginsText: true)
            for _ in 0..<Self.answerTokenCount where !state.hasEnded {
                let before = clock.now
                let mask = machine.mask(state)
                let masked = clock.now
                let token = Self.draw(mask, canEnd: machine.isComplete(state), vocabulary, &random)
                let drawn = clock.now
                guard machine.advance(&state, by: token) else { throw BenchError("a mask allowed too much") }
                times.append(((masked - before) + (clock.now - drawn)) / .microseconds(1))
            }
            if answer == 0 { first = times.sorted() }
        }
        times.sort()
        return Measurement(
            name: name, tokenCount: times.count, preparationMilliseconds: preparation / .milliseconds(1),
            medianMicroseconds: times[times.count / 2], p99Microseconds: times[times.count * 99 / 100],
            mostMicroseconds: times[times.count - 1], firstMedianMicroseconds: first[first.count / 2],
            firstMostMicroseconds: first[first.count - 1])
    }

    private static func draw(
        _ mask: [UInt64], canEnd: Bool, _ vocabulary: TokenVocabulary, _ random: inout SplitMix64
    ) -> Int32 {
        if canEnd, random.next() % 4 == 0, let end = vocabulary.endTokens.first { return end }
        var rank = Int(random.next() % UInt64(max(1, mask.reduce(0) { $0 + $1.nonzeroBitCount })))
        for (index, word) in mask.enumerated() {
            guard rank >= word.nonzeroBitCount else {
                var rest = word
                for _ in 0..<rank { rest &= rest - 1 }
                return Int32(index * 64 + rest.trailingZeroBitCount)
            }
            rank -= word.nonzeroBitCount
        }
        return 0
    }
}
