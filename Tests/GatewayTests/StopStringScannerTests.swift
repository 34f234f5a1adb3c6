import Testing

@testable import Gateway

struct StopStringScannerTests {
    /// What comes out when the text goes in as these pieces, each piece's part separately.
    private func scan(_ pieces: [String], _ stops: [String]) -> (parts: [String], isStopped: Bool) {
        var scanner = StopStringScanner(stops)
        var parts = pieces.map { scanner.append($0) }
        if scanner.matched == nil { parts.append(scanner.finish()) }
        return (parts, scanner.matched != nil)
    }

    @Test func `text without a stop string passes unchanged`() {
        let result = scan(["Hel", "lo"], ["xyz"])
        #expect(result.parts == ["Hel", "lo", ""])
        #expect(!result.isStopped)
    }

    @Test func `a stop string over several pieces is found and cut`() {
        let result = scan(["one S", "TO", "P two"], ["STOP"])
        #expect(result.parts == ["one ", "", ""])
        #expect(result.isStopped)
    }

    @Test func `what might begin a stop string is held back and then released`() {
        let result = scan(["aS", "T", "x", "ST"], ["STOP"])
        #expect(result.parts == ["a", "", "STx", "", "ST"])
    }

    @Test func `a stop string that overlaps its own beginning is found`() {
        #expect(scan(["aaab", "aab"], ["aab"]).parts.joined() == "a")
        #expect(scan(["ababab", "ac"], ["ababac"]).parts.joined() == "ab")
    }

    @Test func `the stop string that is complete first wins, then the longer one`() {
        #expect(scan(["xabcd"], ["abcd", "bc"]).parts.joined() == "xa")
        #expect(scan(["xabc"], ["bc", "abc"]).parts.joined() == "x")
    }

    @Test func `stop strings of several bytes a character work`() {
        #expect(scan(["Grüß", "e 🙂", "!"], ["🙂!"]).parts.joined() == "Grüße ")
    }

    @Test func `the cut does not depend on the pieces`() {
        var random = SeededRandom(seed: 77)
        let alphabet = Array("abé🙂")
        for round in 0..<500 {
            let text = String((0..<20).map { _ in alphabet.randomElement(using: &random) ?? "a" })
            let stops = (0..<3).map { _ in
                String(
                    (0..<Int.random(in: 1...4, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "b"
                    })
            }
            let whole = scan([text], stops)
            var pieces: [String] = []
            var rest = text[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...3, using: &random)
                pieces.append(String(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            let cut = scan(pieces, stops)
            #expect(
                cut.parts.joined() == whole.parts.joined() && cut.isStopped == whole.isStopped,
                "seed 77, round \(round): \(text), \(stops)")
            let first = stops.compactMap { text.firstRange(of: $0)?.upperBound }.min()
            #expect(whole.isStopped == (first != nil), "seed 77, round \(round): \(text), \(stops)")
        }
    }
}
