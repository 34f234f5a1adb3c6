/// Finds the id of a text: an open-addressing hash table over a `PieceTable`.
///
/// The hash is keyed per process, so that a vocabulary cannot be made to collide on purpose; ids do not depend on it.
struct PieceIndex: Sendable {
    private let pieces: PieceTable
    private var slots: [Int32]
    private let mask: Int

    /// Indexes the pieces that `isIncluded`; of two equal texts the lower id is found.
    init(_ pieces: PieceTable, where isIncluded: (Int) -> Bool) {
        var capacity = 16
        while capacity < pieces.count * 2 { capacity *= 2 }
        self.pieces = pieces
        slots = [Int32](repeating: -1, count: capacity)
        mask = capacity - 1
        for id in 0..<pieces.count where isIncluded(id) {
            let text = pieces[id]
            if text.isEmpty { continue }
            var slot = Self.hash(text) & mask
            var isDuplicate = false
            while slots[slot] >= 0 {
                if pieces[Int(slots[slot])].elementsEqual(text) {
                    isDuplicate = true
                    break
                }
                slot = (slot + 1) & mask
            }
            if !isDuplicate { slots[slot] = Int32(id) }
        }
    }

    /// The id of `text`, or nil when it is not in the vocabulary.
    func id(of text: ArraySlice<UInt8>) -> Int32? {
        var slot = Self.hash(text) & mask
        while slots[slot] >= 0 {
            let range = pieces.range(Int(slots[slot]))
            if range.count == text.count && pieces.bytes[range] == text { return slots[slot] }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private static func hash(_ text: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        // The bytes outlive the call, which only reads them.
        unsafe text.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}
