import Host

extension ComputePool {
    /// Calls `body` with disjoint ranges that cover `0..<count`, at most one per thread.
    func runPanels(_ count: Int, _ body: (Range<Int>) -> Void) {
        let pieceCount = min(threadCount, count)
        guard pieceCount > 1 else {
            if count > 0 { body(0..<count) }
            return
        }
        run(pieceCount) { piece in body(count * piece / pieceCount..<count * (piece + 1) / pieceCount) }
    }

    /// The same for rows: one row is done here, since waking threads costs more.
    func runRows(_ count: Int, _ body: (Range<Int>) -> Void) {
        runPanels(count, body)
    }
}
