/// How a text that is being typed lies on a terminal: rows, and where the cursor stands.
struct LineLayout: Hashable {
    private(set) var rows: [String] = []
    private(set) var cursorRow = 0
    private(set) var cursorColumn = 0

    /// - Parameters:
    ///   - prompt: before the first row.
    ///   - indent: before each further line.
    ///   - columns: the terminal's width; at least 4 is taken.
    ///   - maxRowCount: the terminal's height: of a longer text the rows about the cursor are laid out.
    init(_ buffer: LineBuffer, prompt: String, indent: String, columns: Int, maxRowCount: Int) {
        let columns = max(4, columns)
        var row = prompt
        var column = PrintableText.width(of: prompt)
        func startRow(_ text: String) {
            rows.append(row)
            row = text
            column = PrintableText.width(of: text)
        }
        for (index, character) in buffer.characters.enumerated() {
            let shown = character == "\t" ? "  " : String(character)
            let width = PrintableText.width(of: shown)
            if column + width > columns, character != "\n" { startRow("") }
            if index == buffer.cursor { (cursorRow, cursorColumn) = (rows.count, column) }
            if character == "\n" {
                startRow(indent)
            } else {
                row += shown
                column += width
            }
        }
        // A cursor behind a full row stands at the start of the next.
        if column >= columns { startRow("") }
        if buffer.cursor == buffer.characters.count { (cursorRow, cursorColumn) = (rows.count, column) }
        rows.append(row)
        let first = max(0, min(cursorRow - maxRowCount / 2, rows.count - maxRowCount))
        rows = Array(rows[first..<min(rows.count, first + max(1, maxRowCount))])
        cursorRow -= first
        if cursorColumn >= columns { cursorColumn = columns - 1 }
    }
}
