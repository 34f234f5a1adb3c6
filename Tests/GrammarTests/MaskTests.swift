import TestSupport
import Testing

@testable import Grammar

/// Masks held against the plain definition: a token may come when what it makes of the text can still be completed.
@Suite struct MaskTests {
    /// Every byte, and words that cross the borders of rules.
    static let vocabulary: [[UInt8]] = {
        var tokens = (0..<256).map { [UInt8($0)] }
        let words = [
            "{\"", "\":", "\": ", "\",", "\", \"", "\"}", "}}", "}]", "],", "[\"", "[[", "]]", "{}", "[]", "true",
            "false",
            "null", "tr", "ue", "12", "-1", "0.", "1e", "ab", "abc", "name", "\"name\"", " ", "  ", "\n", "\n  ", " {",
            " [",
            "é", "世", "界", "🙂", "\\\"", "\\u", "\\n", "00", "\"a\":1", ",\"b\":", "a", "b", "xy", "y)", "x)", "((",
            "))",
            " yes", "yes", " y", "  yes",
        ]
        tokens += words.map { Array($0.utf8) }
        tokens += [Array("世".utf8.prefix(2)), Array("🙂".utf8.suffix(2)), [], []]
        return tokens
    }()
    static let end = Int32(vocabulary.count - 1)

    static func machine(_ gbnf: String) throws -> GrammarMachine {
        GrammarMachine(
            try Grammar(gbnf: gbnf), try TokenVocabulary(tokens: vocabulary, endTokens: [end], hasDummyPrefix: true))
    }

    static let grammars = [
        #"root ::= "a"* "b" | [^a-z]{2,5}"#,
        #"root ::= pair* ; "#.replacing(";", with: "\npair ::= \"(\" pair* \")\" | \"x\""),
        "root ::= a\na ::= \"x\" a \"y\" | \"x\" a \")\" | \"\"",
        #"root ::= "\"" ([^"\\] | "\\" ["\\nu]){0,70} "\"" ("," root)?"#,
        "root ::= item{3,40} \"b\"\nitem ::= \"ab\" | \"a\" | \"xy\"?",
        "root ::= opt opt \"yes\" | \" \" root2\nopt ::= \" \"?\nroot2 ::= .{1,2} tail\ntail ::= \"a\" tail | \"b\"",
        "root ::= [a-z世é🙂]+ (\",\" ws [0-9]{1,100})*\nws ::= | \" \" | \"\\n\" [ ]{0,2}",
    ]

    @Test(arguments: grammars) func `masks are what stepping byte by byte allows`(gbnf: String) throws {
        try check(gbnf, seed: 1)
    }

    @Test func `masks of JSON are what stepping byte by byte allows`() throws {
        var text = GrammarText()
        text.define("root", text.basic(.value))
        for seed in 1...4 { try check(text.gbnf, seed: UInt64(seed)) }
    }

    private func check(_ gbnf: String, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let vocabulary = try TokenVocabulary(tokens: Self.vocabulary, endTokens: [Self.end], hasDummyPrefix: true)
        let grammar = try Grammar(gbnf: gbnf)
        let oracle = SlowMatcher(try GrammarParser.parse(gbnf))
        var machine = GrammarMachine(grammar, vocabulary)
        for round in 0..<8 {
            let dropsSpace = round % 2 == 1
            var state = machine.start(beginsText: dropsSpace)
            var text: [UInt8] = []
            for place in 0..<40 {
                let mask = machine.mask(state)
                // Another machine has other things in its memory.
                if place % 10 == 0 {
                    var fresh = GrammarMachine(grammar, vocabulary)
                    var same = fresh.start(beginsText: dropsSpace)
                    if place == 0 { #expect(fresh.mask(same) == mask, "seed \(seed), round \(round)") }
                    _ = fresh.advance(&same, by: 0x61)
                }
                var allowed: [Int32] = []
                for token in Self.vocabulary.indices.map(Int32.init) {
                    let isSet = mask[Int(token) / 64] >> UInt64(token % 64) & 1 == 1
                    var next = state
                    #expect(machine.advance(&next, by: token) == isSet, "seed \(seed), token \(token) after \(text)")
                    if isSet { allowed.append(token) }
                }
                #expect(!allowed.isEmpty, "seed \(seed): nothing may follow \(text)")
                #expect(machine.isComplete(state) == oracle.matches(text), "seed \(seed): \(text)")
                guard let token = allowed.randomElement(using: &random) else { break }
                #expect(machine.advance(&state, by: token))
                if token == Self.end {
                    #expect(state.hasEnded && machine.mask(state).allSatisfy { $0 == 0 })
                    break
                }
                let bytes = Self.vocabulary[Int(token)]
                text += text.isEmpty && dropsSpace && place == 0 && bytes.first == 0x20 ? bytes.dropFirst() : bytes[...]
            }
        }
    }

    @Test(arguments: [false, true]) func `memory that is given up changes no mask`(everything: Bool) throws {
        var machine = try Self.machine(Self.grammars[1])
        machine.prepare()
        var state = machine.start(beginsText: false)
        for byte in Array("(((x)x".utf8) { #expect(machine.advance(&state, by: Int32(byte))) }
        let mask = machine.mask(state)
        let keptByteCount = machine.keptByteCount
        machine.giveUp(everything: everything)
        #expect(machine.keptByteCount < (everything ? keptByteCount / 4 : keptByteCount))
        #expect(!machine.isCurrent(state))
        var again = machine.start(beginsText: false)
        for byte in Array("(((x)x".utf8) { #expect(machine.advance(&again, by: Int32(byte))) }
        #expect(machine.mask(again) == mask)
    }

    @Test func `the first space of an answer does not count where it is a dummy`() throws {
        var machine = try Self.machine(#"root ::= "yes""#)
        func allowed(_ state: GrammarMachine.State) -> Set<String> {
            let mask = machine.mask(state)
            return Set(
                Self.vocabulary.indices.filter { mask[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
                    .map { String(decoding: Self.vocabulary[$0], as: UTF8.self) })
        }
        let plain = machine.start(beginsText: false)
        let dropping = machine.start(beginsText: true)
        #expect(allowed(plain) == ["y", "yes"])
        #expect(allowed(dropping) == ["y", "yes", " y", " yes", " "])
        var state = dropping
        #expect(machine.advance(&state, by: 0x20))
        #expect(allowed(state) == ["y", "yes"])
    }

    @Test func `a vocabulary without some byte is refused`() {
        var tokens = Self.vocabulary
        tokens[0x41] = []
        #expect(throws: GrammarError.self) { try TokenVocabulary(tokens: tokens, endTokens: [], hasDummyPrefix: false) }
    }
}
