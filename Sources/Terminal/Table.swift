/// Rows under headings, in columns that are as wide as they need to be.
public struct Table {
    public enum Alignment: Sendable {
        case left, right
    }

    private let headings: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    public init(_ columns: [(heading: String, alignment: Alignment)]) {
        headings = columns.map(\.heading)
        alignments = columns.map(\.alignment)
    }

    /// Adds a row; missing cells are empty.
    public mutating func add(_ cells: [String]) {
        precondition(cells.count <= headings.count, "a row has more cells than the table has columns")
        rows.append(cells + Array(repeating: "", count: headings.count - cells.count))
    }

    /// The same without some columns.
    public func dropping(_ dropped: Set<String>) -> Table {
        let kept = headings.indices.filter { !dropped.contains(headings[$0]) }
        var table = Table(kept.map { (headings[$0], alignments[$0]) })
        table.rows = rows.map { row in kept.map { row[$0] } }
        return table
    }

    /// The lines, without an end-of-line mark after the last.
    public func text() -> String {
        let widths = headings.indices.map { column in
            ([headings] + rows).map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            var parts: [String] = []
            for (column, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                parts.append(alignments[column] == .left ? cell + padding : padding + cell)
            }
            var text = parts.joined(separator: "  ")
            while text.hasSuffix(" ") { text.removeLast() }
            return text
        }
        let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
        return ([line(headings), rule] + rows.map(line)).joined(separator: "\n")
    }
}
