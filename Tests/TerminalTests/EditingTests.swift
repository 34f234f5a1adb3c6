import Foundation
import TestSupport
import Testing

@testable import Terminal

@Suite struct EditingTests {
    private func keys(_ bytes: some Sequence<UInt8>) -> [Key] {
        var decoder = KeyDecoder()
        return bytes.compactMap { decoder.take($0) }
    }

    private func keys(_ text: String) -> [Key] { keys(text.utf8) }

    /// What stands in the buffer, with "|" where the cursor is.
    private func typed(_ text: String) -> String {
        var buffer = LineBuffer()
        for key in keys(text) { _ = buffer.apply(key) }
        return String(buffer.characters[..<buffer.cursor]) + "|" + String(buffer.characters[buffer.cursor...])
    }

    @Test func `bytes become keys`() {
        #expect(keys("aé世🙂") == [.text("a"), .text("é"), .text("世"), .text("🙂")])
        #expect(
            keys("\u{1B}[A\u{1B}OB\u{1B}[1;5C\u{1B}[3~\u{1B}b\u{1B}\r") == [
                .up, .down, .wordRight, .delete, .wordLeft, .lineBreak,
            ])
        #expect(
            keys("\u{1}\u{5}\u{B}\u{15}\u{17}\u{19}\u{3}\u{4}\u{12}\u{7F}\r\n\t") == [
                .home, .end, .deleteToEnd, .deleteToStart, .deleteWordBefore, .yank, .interrupt, .endOfInput, .search,
                .backspace, .enter, .enter, .tab,
            ])
        // Unknown sequences and controls do nothing, and what follows them is read.
        #expect(keys("\u{1B}[99;9zx\u{1B}[200;1My\u{1C}z") == [.text("x"), .text("y"), .text("z")])
    }

    @Test func `broken characters are shown as such and cost no key after them`() {
        #expect(keys([0xC3, 0x0D]) == [.enter])
        #expect(keys([0xFF, 0x61]) == [.text("\u{FFFD}"), .text("a")])
        #expect(keys([0xE4, 0xB8, 0x03]) == [.interrupt])
    }

    @Test func `an escape character alone is a key when nothing follows`() {
        var decoder = KeyDecoder()
        #expect(decoder.decide() == nil)
        #expect(decoder.take(0x1B) == nil && decoder.isUndecided)
        #expect(decoder.decide() == .escape && !decoder.isUndecided)
    }

    @Test func `a paste is text with its line ends and without controls`() {
        let paste = "\u{1B}[200~one\r\ntwo\rthree\u{1B}[31m\u{3}\u{1B}[201~x"
        #expect(keys(paste) == [.paste("one\ntwo\nthree[31m"), .text("x")])
    }

    @Test func `no bytes break the decoder or the buffer`() {
        var random = SeededGenerator(seed: 7)
        var decoder = KeyDecoder()
        var buffer = LineBuffer()
        for _ in 0..<50_000 {
            let byte = UInt8.random(in: 0...255, using: &random)
            guard let key = decoder.take(Bool.random(using: &random) ? byte : byte % 128) else { continue }
            _ = buffer.apply(key)
            #expect((0...buffer.characters.count).contains(buffer.cursor))
            if buffer.characters.count > 300 { buffer.replace(with: "") }
        }
    }

    @Test func `text is edited as in a shell`() {
        #expect(typed("hello") == "hello|")
        #expect(typed("hello\u{1}X") == "X|hello")
        #expect(typed("hello\u{1B}[D\u{1B}[D\u{7F}") == "he|lo")
        #expect(typed("one two three\u{17}\u{17}") == "one |")
        #expect(typed("one two\u{1B}[1;5D\u{B}\u{1}\u{19}") == "two|one ")
        #expect(typed("one two\u{15}") == "|")
        #expect(typed("ab\u{1B}\rcd\u{1B}[A") == "ab|\ncd")
        #expect(typed("ab\u{1B}\rc\u{1}\u{7F}") == "ab|c")
        #expect(typed("ab\u{1B}\rcd\u{1B}[A\u{B}") == "ab|cd")
        // A mark joins the letter before it, and both go together.
        #expect(typed("e\u{301}x\u{1B}[D\u{7F}") == "|x")
    }

    @Test func `rows wrap where the terminal ends, wide characters included`() {
        func layout(_ text: String, columns: Int, rows: Int = 24) -> LineLayout {
            var buffer = LineBuffer()
            buffer.replace(with: text)
            return LineLayout(buffer, prompt: "> ", indent: "  ", columns: columns, maxRowCount: rows)
        }
        let plain = layout("abcdef", columns: 6)
        #expect(plain.rows == ["> abcd", "ef"] && plain.cursorRow == 1 && plain.cursorColumn == 2)
        let full = layout("abcd", columns: 6)
        #expect(full.rows == ["> abcd", ""] && full.cursorRow == 1 && full.cursorColumn == 0)
        let wide = layout("a世界", columns: 6)
        #expect(wide.rows == ["> a世", "界"] && wide.cursorColumn == 2)
        let lines = layout("a\nb", columns: 20)
        #expect(lines.rows == ["> a", "  b"] && lines.cursorRow == 1 && lines.cursorColumn == 3)
        let tall = layout((0..<100).map(String.init).joined(separator: "\n"), columns: 20, rows: 5)
        #expect(tall.rows.count == 5 && tall.rows.last == "  99" && tall.cursorRow == 4)
    }

    @Test func `characters take the columns that terminals give them`() {
        #expect(PrintableText.width(of: "aé") == 2)
        #expect(PrintableText.width(of: "世界🙂") == 6)
        #expect(PrintableText.width(of: "e\u{301}\u{200B}") == 1)
        #expect(PrintableText.clipped("abcdef", columns: 4) == "abc…")
        #expect(PrintableText.clipped("世界世界", columns: 4) == "世…")
        #expect(PrintableText.clipped("abcd", columns: 4) == "abcd")
    }

    @Test func `text from elsewhere cannot steer the terminal`() {
        let hostile = "a\u{1B}]0;title\u{7}b\u{9B}31mc\u{202E}d\r\n\te\u{7F}"
        #expect(PrintableText.of(hostile) == "a]0;titleb31mcd\n\te")
    }

    @Test func `what was typed is there the next time, for its owner alone`() throws {
        let folder = try TemporaryDirectory()
        let path = folder.url.appendingPathComponent("state/history").path
        var history = LineHistory(path: path)
        for line in ["first", "two\nlines \\n", "", "last", "last"] { try history.add(line) }
        #expect(LineHistory(path: path).lines == ["first", "two\nlines \\n", "last"])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        for number in 0..<(2 * LineHistory.maxCount) { try history.add("line \(number)") }
        let again = LineHistory(path: path)
        #expect(again.lines.count == LineHistory.maxCount && again.lines.last == history.lines.last)
        // The file was cut, and stays its owner's.
        #expect(try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count == LineHistory.maxCount)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    }

    @Test func `a history that cannot be written fails once`() throws {
        var history = LineHistory(path: "/proc/nowhere/history")
        #expect(throws: (any Error).self) { try history.add("a") }
        try history.add("b")
        #expect(history.lines == ["a", "b"])
    }
}
