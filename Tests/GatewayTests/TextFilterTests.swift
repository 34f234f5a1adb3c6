import Foundation
import Testing

@testable import Gateway

struct TextFilterTests {
    private static func rules(words: [String] = [], patterns: [String] = []) throws -> FilterRules {
        var rules: [JSONValue] = [["name": "words", "words": .array(words.map { JSONValue.string($0) })]]
        for (index, pattern) in patterns.enumerated() {
            rules.append(["name": .string("pattern \(index)"), "pattern": .string(pattern)])
        }
        return try FilterRules(JSONValue.object(["rules": .array(rules)]).encoded)
    }

    private static func isForbidden(_ text: String, _ rules: FilterRules) -> Bool {
        TextFilter.match(in: text, rules.output) != nil
    }

    @Test func `words count whatever their case, form and spacing, and only as whole words`() throws {
        let rules = try Self.rules(words: ["Café noir", "straße", "c++", "fish", "世界", "Σίσυφος"])
        for text in [
            "a CAFÉ NOIR, please", "cafe\u{301}  \n noir", "ｃａｆé noir.", "STRASSE", "in der Straße", "I like C++!",
            "ﬁsh",
            "f\u{200B}i\u{AD}sh", "你好世界！", "ΣΊΣΥΦΟΣ", "fish", "(fish)",
        ] {
            #expect(Self.isForbidden(text, rules), "\(text)")
        }
        for text in [
            "cafes noir", "cafe noir", "café-noir", "fishing", "selfish", "fish_", "Strassen", "c+", "f ish", "",
        ] {
            #expect(!Self.isForbidden(text, rules), "\(text)")
        }
    }

    @Test func `patterns have the usual notation`() throws {
        let cases: [(pattern: String, matching: [String], others: [String])] = [
            (
                #"\b(?:\d[ -]?){15}\d\b"#, ["no 4111 1111 1111 1111.", "4111111111111111"],
                ["4111 1111 1111 111", "x41111111111111111"]
            ),
            ("(?i)secret(s|ly)?\\b", ["Secrets!", "SECRETLY", "a secret"], ["secretary"]),
            ("^start", ["started"], ["a start"]), ("end$", ["the end"], ["ends"]),
            ("[^a-c\\d]x", ["dx"], ["ax", "1x", "x"]), ("[]a-]b", ["]b", "-b", "ab"], ["b"]),
            ("a{2,3}b", ["aab", "aaaab"], ["ab"]), ("\\u00e9|\\x41", ["é", "A"], ["e", "a"]),
            ("a.c", ["abc"], ["a\nc"]), ("(?:a|b)*c+?d", ["ababccd"], ["abab"]), ("\\Bx", ["ax"], ["x", "- x"]),
        ]
        for (pattern, matching, others) in cases {
            let rules = try Self.rules(patterns: [pattern])
            for text in matching { #expect(Self.isForbidden(text, rules), "\(pattern) in \(text)") }
            for text in others { #expect(!Self.isForbidden(text, rules), "\(pattern) in \(text)") }
        }
    }

    @Test func `patterns that could not be matched in linear time, or are none, are refused with their place`() throws {
        for pattern in [
            "(?=a)b", "(?<!a)b", #"(a)\1"#, "a**", "*a", "(a", "a)", "[a", "a{3,2}", "a{1000}", "a{", "\\", "\\u12",
            "[z-a]",
            "\\p{L}", "(?i:a)", "((((a{200}){200}){200}){200})",
        ] {
            #expect(throws: GatewayFileError.self, "\(pattern)") { _ = try Self.rules(patterns: [pattern]) }
        }
        let deep = String(repeating: "(", count: 40) + "a" + String(repeating: ")", count: 40)
        #expect(throws: GatewayFileError.self) { _ = try Self.rules(patterns: [deep]) }
    }

    @Test func `what matches agrees with Foundation's regular expressions`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededRandom(seed: seed)
        func pattern(_ depth: Int) -> String {
            switch Int.random(in: 0..<(depth > 3 ? 4 : 9), using: &random) {
            case 0, 1: return ["a", "b", "c"].randomElement(using: &random) ?? "a"
            case 2: return ["[ab]", "[^a]", "."].randomElement(using: &random) ?? "."
            case 3: return ["\\b", "\\B", "^", "$", "\\w", "\\s"].randomElement(using: &random) ?? "."
            case 4, 5: return pattern(depth + 1) + pattern(depth + 1)
            case 6: return "(?:" + pattern(depth + 1) + "|" + pattern(depth + 1) + ")"
            case 7: return "(?:" + pattern(depth + 1) + ")" + (["*", "+", "?"].randomElement(using: &random) ?? "*")
            default: return "(?:" + pattern(depth + 1) + "){1,2}"
            }
        }
        var matchCount = 0
        for _ in 0..<400 {
            // Nothing is no match here, so something has to be there.
            let text = "(?:a|b)" + pattern(0)
            let rules = try Self.rules(patterns: [text])
            let oracle = try NSRegularExpression(pattern: text)
            for _ in 0..<8 {
                let subject = String(
                    (0..<Int.random(in: 0..<9, using: &random)).map { _ in
                        Array("abc \n").randomElement(using: &random) ?? "a"
                    })
                // There "$" holds before a last line's end, too.
                guard !(text.contains("$") && subject.hasSuffix("\n")) else { continue }
                let expected = oracle.firstMatch(in: subject, range: NSRange(subject.startIndex..., in: subject)) != nil
                if expected { matchCount += 1 }
                #expect(
                    Self.isForbidden(subject, rules) == expected, "\(text) in \(subject.debugDescription), seed \(seed)"
                )
            }
        }
        #expect(matchCount > 100)
    }

    @Test func `however a text is cut, the same of it passes, and nothing of a match`() throws {
        let rules = try Self.rules(words: ["bad", "bad word", "naïve"], patterns: ["x+y", "a.*z"])
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededRandom(seed: seed)
        let letters = Array("badwornïve xyz.\n").map(String.init) + ["nai\u{308}ve", "bad", " word", "xx"]
        var matchCount = 0
        for _ in 0..<600 {
            let pieces = (0..<Int.random(in: 0..<14, using: &random)).map { _ in
                letters.randomElement(using: &random) ?? ""
            }
            let text = pieces.joined()
            var whole = TextFilter(rules.output)
            let expected = whole.append(text) + whole.finish()
            #expect(whole.match == nil ? expected == text : text.unicodeScalars.starts(with: expected.unicodeScalars))
            if let match = whole.match {
                matchCount += 1
                #expect(expected.unicodeScalars.count == match.start)
            }
            var cut = TextFilter(rules.output)
            var passed = ""
            for piece in pieces {
                passed += cut.append(piece)
                #expect(expected.unicodeScalars.starts(with: passed.unicodeScalars), "seed \(seed)")
            }
            passed += cut.finish()
            #expect(
                passed.unicodeScalars.elementsEqual(expected.unicodeScalars) && cut.match == whole.match, "seed \(seed)"
            )
        }
        #expect(matchCount > 50)
    }

    @Test func `no more is held back than can be a match`() throws {
        var filter = TextFilter(try Self.rules(words: ["forbidden"], patterns: ["a.*z"]).output)
        #expect(filter.append("This is for") == "This is ")
        #expect(filter.append("ever and") == "forever ")
        // What begins with "a" could go on for long, but not for ever.
        let passed = filter.append(String(repeating: "b", count: 2 * ContentFilter.longestMatch))
        #expect(passed.hasPrefix("andbbb"))
        #expect(filter.match == nil)
    }

    @Test func `rules files that are wrong are refused with the place`() throws {
        for (text, place) in [
            ("[", "byte"), ("[]", "object"), ("{}", "nothing to do"), (#"{"rule": []}"#, "'rule'"),
            (#"{"rules": [{}]}"#, "rules[0].name"), (#"{"rules": [{"name": "a"}]}"#, "rules[0]"),
            (#"{"rules": [{"name": "a", "words": [" "]}]}"#, "rules[0].words[0]"),
            (#"{"rules": [{"name": "a", "words": ["b"], "pattern": "c"}]}"#, "rules[0]"),
            (#"{"rules": [{"name": "a", "words": ["b"], "on": "never"}]}"#, "rules[0].on"),
            (#"{"rules": [{"name": "a", "pattern": "("}]}"#, "rules[0].pattern"),
            (#"{"rules": 1}"#, "rules"), (#"{"moderation": {"url": "x"}}"#, "moderation.url"),
            (#"{"moderation": {"url": "http://h/", "on_failure": "x"}}"#, "moderation.on_failure"),
            (#"{"moderation": {"url": "http://h/", "api_key_file": "/nowhere"}}"#, "/nowhere"),
        ] {
            do {
                _ = try FilterRules(Array(text.utf8))
                Issue.record("accepted: \(text)")
            } catch { #expect("\(error)".contains(place), "\(text): \(error)") }
        }
        #expect(throws: GatewayFileError.self) { try ContentFilter.load("/nowhere/rules.json") }
    }
}
