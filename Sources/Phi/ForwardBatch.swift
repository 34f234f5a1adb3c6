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

        /// The position of one of the batch's rows, which belongs to this part.
        func position(ofRow row: Int) -> Int { firstPosition + row - firstRow }
    }

    /// Some rows of a part whose attention is computed together.
    struct Tile {
        let part: Int
        /// Offset of the first row within the part.
        let offset: Int
        let rowCount: Int
    }

    /// The most rows whose attention shares a read of keys and values.
    let tileRowCount: Int

    private(set) var parts: [Part] = []
    private(set) var tiles: [Tile] = []
    /// For each row, the index of its part.
    private(set) var partOfRow: [Int] = []

    var rowCount: Int { partOfRow.count }

    init(maxRowCount: Int, tileRowCount: Int) {
        precondition(tileRowCount > 0, "a tile has rows")
        self.tileRowCount = tileRowCount
        parts.reserveCapacity(maxRowCount)
        tiles.reserveCapacity(maxRowCount)
        partOfRow.reserveCapacity(maxRowCount)
    }

    mutating func removeAll() {
        parts.removeAll(keepingCapacity: true)
        tiles.removeAll(keepingCapacity: true)
        partOfRow.removeAll(keepingCapacity: true)
    }

    /// Adds rows; the page table must name a page for every position that they see.
    mutating func append(rowCount count: Int, firstPosition: Int, regime: RopeRegime, pageTable: PageTable) {
        precondition(count > 0 && firstPosition >= 0, "a part has rows")
        parts.append(
            Part(
                firstRow: rowCount, rowCount: count, firstPosition: firstPosition, regime: regime,
                pageTable: pageTable))
        for offset in stride(from: 0, to: count, by: tileRowCount) {
            tiles.append(Tile(part: parts.count - 1, offset: offset, rowCount: min(tileRowCount, count - offset)))
        }
        for _ in 0..<count { partOfRow.append(parts.count - 1) }
    }
}
