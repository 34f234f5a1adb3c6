import Inference
import Testing
import Tokenization

@testable import Gateway

struct ChoiceAssemblerTests {
    private func assembler(
        stops: [String] = [], listsEndToken: Bool = true, stopTokens: Set<Int32> = []
    ) throws -> ChoiceAssembler {
        let codec = TokenizerCodec(try Tokenizer(try ToyTokenizer.definition()))
        return ChoiceAssembler(
            text: codec.makeTextStream(continuing: true), stops: stops,
            endTokens: stopTokens.union([ToyTokenizer.end]), listsEndToken: listsEndToken)
    }

    private func scored(_ token: Int32) -> ScoredToken { ScoredToken(token: token, logprob: -1, top: []) }

    @Test func `a character over several tokens appears once and whole`() throws {
        var choice = try assembler()
        let deltas = ToyTokenizer.bytes("a🙂b").map { choice.append(scored($0)) }
        #expect(deltas.map(\.text) == ["a", "", "", "", "🙂", "b"])
        #expect(deltas.flatMap(\.tokens).map(\.textOffset) == [0, 1, 1, 1, 1, 2])
        #expect(choice.finish(.length).end == .length)
    }

    @Test func `a character that is never finished becomes a replacement character`() throws {
        var choice = try assembler()
        let text = ToyTokenizer.bytes("a🙂").dropLast().map { choice.append(scored($0)).text }.joined()
        let last = choice.finish(.length)
        #expect(text == "a")
        #expect(last.text == "\u{FFFD}")
    }

    @Test func `tokens wait with their text and go with what is cut off`() throws {
        var choice = try assembler(stops: ["STOP"])
        let first = choice.append(scored(0x61))
        let held = choice.append(scored(ToyTokenizer.word("STO")))
        let last = choice.append(scored(ToyTokenizer.word("P!")))
        #expect(first.text == "a" && first.tokens.count == 1)
        #expect(held.isEmpty)
        #expect(last.text.isEmpty && last.tokens.isEmpty && last.end == .stop)
        #expect(choice.append(scored(0x62)).isEmpty)
        #expect(choice.tokenCount == 3)
    }

    @Test func `a token that begins before a stop string stays in the list`() throws {
        var choice = try assembler(stops: ["TO"])
        let delta = choice.append(scored(ToyTokenizer.word("STO")))
        #expect(delta.text == "S")
        #expect(delta.tokens.map(\.token) == [ToyTokenizer.word("STO")])
    }

    @Test func `an end token has no text and is listed only where it should be`() throws {
        var listed = try assembler()
        var unlisted = try assembler(listsEndToken: false)
        for token in ToyTokenizer.bytes("hi") + [ToyTokenizer.end] {
            _ = listed.append(scored(token))
            _ = unlisted.append(scored(token))
        }
        let last = listed.finish(.stop)
        #expect(last.text.isEmpty)
        #expect(last.tokens.map(\.token) == [ToyTokenizer.end])
        #expect(last.tokens.map(\.textOffset) == [2])
        #expect(unlisted.finish(.stop).tokens.isEmpty)
        #expect(listed.tokenCount == 3)
    }

    @Test func `a stop token of the client has no text either`() throws {
        var choice = try assembler(stopTokens: [0x62])
        let text = ToyTokenizer.bytes("ab").map { choice.append(scored($0)).text }.joined()
        #expect(text + choice.finish(.stop).text == "a")
    }

    @Test func `held text comes out at the end when no stop string came`() throws {
        var choice = try assembler(stops: ["STOP"])
        _ = choice.append(scored(ToyTokenizer.word("STO")))
        let last = choice.finish(.length)
        #expect(last.text == "STO")
        #expect(last.tokens.count == 1)
        #expect(last.end == .length)
    }

    @Test func `an echoed prompt starts the text, without a score for its first token`() throws {
        var choice = try assembler(stops: ["b"])
        let echo = choice.echo(prompt: ToyTokenizer.bytes("ab"), scores: [scored(0x62)])
        #expect(echo.text == "ab")
        #expect(echo.tokens.map(\.score) == [nil, scored(0x62)])
        let delta = choice.append(scored(0x63))
        #expect(delta.text == "c")
        #expect(delta.tokens.map(\.textOffset) == [2])
    }
}
