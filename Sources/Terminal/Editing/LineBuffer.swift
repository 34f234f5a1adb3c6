/// A text that is being typed, with the place where typing goes on.
struct LineBuffer: Hashable {
    private(set) var characters: [Character] = []
    /// Before this character, 0 to `characters.count`.
    private(set) var cursor = 0
    /// What was deleted last, to be put in again.
    private var deleted = ""

    /// The most characters; what is beyond is not taken.
    static let maxCount = 1 << 20

    var text: String { String(characters) }
    var isEmpty: Bool { characters.isEmpty }

    mutating func replace(with text: String) {
        characters = Array(text.prefix(Self.maxCount))
        cursor = characters.count
    }

    mutating func insert(_ text: String) {
        guard characters.count + text.count <= Self.maxCount else { return }
        // A mark may join the character before it, so both are made anew.
        let before = String(characters[..<cursor]) + text
        characters = Array(before + String(characters[cursor...]))
        cursor = min(before.count, characters.count)
    }

    /// Does what an editing key says; false for keys that are not about editing, and for those that change nothing.
    mutating func apply(_ key: Key) -> Bool {
        let before = self
        switch key {
        case .text(let text), .paste(let text): insert(text)
        case .lineBreak: insert("\n")
        case .tab: insert("\t")
        case .backspace: if cursor > 0 { remove(cursor - 1..<cursor) }
        case .delete: if cursor < characters.count { remove(cursor..<cursor + 1) }
        case .deleteWordBefore: cut(wordStart..<cursor)
        case .deleteWordAfter: cut(cursor..<wordEnd)
        case .deleteToStart: cut(lineStart..<cursor)
        case .deleteToEnd: cut(cursor..<max(lineEnd, min(cursor + 1, characters.count)))
        case .yank: insert(deleted)
        case .left: cursor = max(0, cursor - 1)
        case .right: cursor = min(characters.count, cursor + 1)
        case .wordLeft: cursor = wordStart
        case .wordRight: cursor = wordEnd
        case .home: cursor = lineStart
        case .end: cursor = lineEnd
        case .up: return moveLine(to: lineStart - 1)
        case .down: return moveLine(to: lineEnd + 1)
        case .enter, .escape, .interrupt, .endOfInput, .suspend, .search, .redraw: return false
        }
        return self != before
    }

    private mutating func remove(_ range: Range<Int>) {
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }

    private mutating func cut(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        deleted = String(characters[range])
        remove(range)
    }

    /// Goes to the line that `place` lies in, as far from its start as now; false when there is none.
    private mutating func moveLine(to place: Int) -> Bool {
        guard (0...characters.count).contains(place) else { return false }
        let column = cursor - lineStart
        cursor = place
        cursor = min(lineStart + column, lineEnd)
        return true
    }

    private var lineStart: Int { (characters[..<cursor].lastIndex(of: "\n") ?? -1) + 1 }
    private var lineEnd: Int { characters[cursor...].firstIndex(of: "\n") ?? characters.count }

    private var wordStart: Int {
        var place = cursor
        while place > 0, !isWordPart(place - 1) { place -= 1 }
        while place > 0, isWordPart(place - 1) { place -= 1 }
        return place
    }

    private var wordEnd: Int {
        var place = cursor
        while place < characters.count, !isWordPart(place) { place += 1 }
        while place < characters.count, isWordPart(place) { place += 1 }
        return place
    }

    private func isWordPart(_ place: Int) -> Bool { characters[place].isLetter || characters[place].isNumber }
}
