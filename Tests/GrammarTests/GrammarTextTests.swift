import TestSupport
import Testing

@testable import Grammar

@Suite struct GrammarTextTests {
    private func accepts(_ gbnf: String, _ text: String) throws -> Bool {
        var machine = try MaskTests.machine(gbnf)
        var state = machine.start(beginsText: false)
        return text.utf8.allSatisfy { machine.advance(&state, by: Int32($0)) } && machine.isComplete(state)
    }

    static let readings: [(gbnf: String, good: [String], bad: [String])] = [
        ("root ::= \"a\" | # comment\n  \"b\" # another\n\n# last", ["a", "b"], ["", "ab"]),
        ("root ::= (\n \"x\" |\n y\n)+\ny ::= [^\\x00-\\x60\\u00e9] {2}", ["x", "xabx"], ["a", "éé"]),
        (
            "root ::= [a\\-z] [-_] [\\]] \"\\x41\\u00e9\\U0001F600\\\"\\\\\"", ["a-]Aé😀\"\\", "-_]Aé😀\"\\"],
            ["b-]Aé😀\"\\"]
        ),
        ("root ::= .? \"a\"{2,} [0-9]{0,2}", ["aa", "éaaaa12"], ["a", "aa123"]),
        ("root ::= rule-1 rule_2\nrule-1 ::= \"\"\nrule_2 ::= \"q\"{0}", [""], ["q"]),
        ("root   ::= \"a\"\r\nb ::= root", ["a"], ["b"]),
        ("root ::= \"a\"{3} \"b\"{0,100} \"c\"{1000}", ["aaa" + String(repeating: "c", count: 1000)], ["aaab"]),
    ]

    @Test(arguments: readings) func `GBNF is read as llama.cpp reads it`(gbnf: String, good: [String], bad: [String])
        throws
    {
        for text in good { #expect(try accepts(gbnf, text), "\(text)") }
        for text in bad { #expect(try !accepts(gbnf, text), "\(text)") }
    }

    @Test func `repetitions count exactly, whatever blocks they are made of`() throws {
        for (least, most) in [(0, 31), (0, 32), (0, 33), (5, 70), (64, 64), (31, 1100), (1, 1056), (33, 65)] {
            var machine = try MaskTests.machine("root ::= \"a\"{\(least),\(most)}")
            var state = machine.start(beginsText: false)
            for count in 0...most {
                #expect(machine.isComplete(state) == (count >= least), "\(count) of {\(least),\(most)}")
                #expect(machine.advance(&state, by: 0x61) == (count < most), "\(count) of {\(least),\(most)}")
            }
        }
    }

    static let mistakes: [(gbnf: String, message: String)] = [
        ("", "no rule 'root'"), ("a ::= \"x\"", "no rule 'root'"),
        ("root ::= \"x\"\nroot ::= \"y\"", "line 2, column 1: the rule 'root' is defined twice"),
        ("root ::= a b\nb ::= \"x\"", "line 1, column 10: the rule 'a' is used but never defined"),
        ("root ::= \"x", "line 1, column 10: this literal has no end"),
        ("root ::= [a-", "class of characters has no end"), ("root ::= [z-a]", "ends before it begins"),
        ("root ::= *", "line 1, column 10: nothing to repeat"), ("root ::= \"a\"{3,2}", "impossible"),
        ("root ::= \"a\"{99999999999999999999}", "more than 1000000"), ("root ::= \"\\q\"", "'\\q' is not known"),
        ("root ::= \"\\ud800\"", "half of a surrogate"), ("root = \"a\"", "'::=' should be here"),
        ("root ::= \"a\" )", "the rule should end here"), ("root ::= ( \"a\"", "')' should be here"),
        ("root ::= root \"a\" | \"b\"", "left-recursive: the rule 'root'"),
        ("root ::= a\na ::= b? c\nb ::= \"x\"\nc ::= a \"y\" | \"z\"", "left-recursive"),
        ("root ::= \"a\" root", "can never end"), ("root ::= a\na ::= [^\\x00-\\U0010FFFF]", "can never end"),
    ]

    @Test(arguments: mistakes) func `what is wrong is said with line and column`(gbnf: String, message: String) throws {
        let error = #expect(throws: GrammarError.self) { try Grammar(gbnf: gbnf) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// Nothing that a client may send takes long or much: every one of these ends at once, with a grammar or an error.
    @Test func `hostile grammars are bounded`() throws {
        let nested = String(repeating: "(", count: 100_000)
        let counts =
            "root ::= " + String(repeating: "(", count: 20) + "\"a\"" + String(repeating: "){1000000}", count: 20)
        let rules = (0..<900).map { "r\($0) ::= r\($0 + 1) r\($0 + 1)" }.joined(separator: "\n")
        let hostile = [
            "root ::= \(nested)", counts, "root ::= r0\n\(rules)\nr900 ::= \"a\" | \"\"",
            "root ::= r0\n\(rules)\nr900 ::= \"a\"",
            "root ::= (" + (0..<900).map { "r\($0)" }.joined(separator: "|") + ") \"b\"\n"
                + (0..<900).map { "r\($0) ::= \"a\" r\($0)| \"ab\"" }.joined(separator: "\n"),
            "root ::= " + String(repeating: "(\"a\" | \"a\")? ", count: 2000) + "\"b\"",
            "root ::= (((\"a\"?)*)*)*", "root ::= x*\nx ::= y?\ny ::= \"a\"*",
            "root ::= [a-z]* \"a\" [a-z]{200}", "root ::= s\ns ::= \"a\" s s | \"\"",
            "root ::= a{1000000}\na ::= b{1000000}\nb ::= \"a\" | \"b\"{0,1000000}",
            String(repeating: "root ::= \"a\"\n", count: 80_000),
        ]
        for gbnf in hostile {
            guard let grammar = try? Grammar(gbnf: gbnf) else { continue }
            var machine = GrammarMachine(
                grammar,
                try TokenVocabulary(tokens: MaskTests.vocabulary, endTokens: [MaskTests.end], hasDummyPrefix: true))
            var state = machine.start(beginsText: false)
            for _ in 0..<8 {
                let mask = machine.mask(state)
                #expect(mask.contains { $0 != 0 })
                guard machine.advance(&state, by: 0x61) else { break }
            }
        }
    }

    /// Any bytes at all give a grammar or an error.
    @Test func `damaged grammars never crash`() throws {
        var random = SeededGenerator(seed: 3)
        var goodCount = 0
        let alphabet = Array("root::= \"a[]^-{}1,|()*+?.\\x\n#").map(String.init)
        for _ in 0..<20_000 {
            let start = MaskTests.grammars.randomElement(using: &random) ?? ""
            var text = Array(start).map(String.init)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<text.count, using: &random)
                text[place] = alphabet.randomElement(using: &random) ?? ""
            }
            if (try? Grammar(gbnf: text.joined())) != nil { goodCount += 1 }
        }
        #expect(goodCount > 100 && goodCount < 19_900)
    }
}
