import Inference

/// The slices of one step as the forward pass sees them: checked, with their rows numbered through.
struct ForwardBatch {
    /// Consecutive positions of one sequence, in consecutive rows.
    struct Part {
        let firstRow: Int
        let rowCount: Int
        let firstPosition: Int
        let regime: RopeRegime
        let pageTable: PageTable
    }

    /// Some rows of a part whose attention is computed together.
    struct Tile {
        let part: Int
        /// Offset of the first row within the part.
        let offset: Int
        let rowCount: Int
    }

    /// Rows whose attention shares a read of keys and values.
    static let tileRowCount = 8

    private(set) var parts: [Part] = []
    private(set) var tiles: [Tile] = []
    private(set) var rowCount = 0

    init(maxRowCount: Int) {
        parts.reserveCapacity(maxRowCount)
        tiles.reserveCapacity(maxRowCount)
    }

    mutating func removeAll() {
        parts.removeAll(keepingCapacity: true)
        tiles.removeAll(keepingCapacity: true)
        rowCount = 0
    }

    /// Adds rows; the page table must name a page for every position that they see.
    mutating func append(rowCount count: Int, firstPosition: Int, regime: RopeRegime, pageTable: PageTable) {
        precondition(count > 0 && firstPosition >= 0, "a part has rows")
        parts.append(
            Part(
                firstRow: rowCount, rowCount: count, firstPosition: firstPosition, regime: regime,
                pageTable: pageTable))
        for offset in stride(from: 0, to: count, by: Self.tileRowCount) {
            tiles.append(Tile(part: parts.count - 1, offset: offset, rowCount: min(Self.tileRowCount, count - offset)))
        }
        rowCount += count
    }
}
