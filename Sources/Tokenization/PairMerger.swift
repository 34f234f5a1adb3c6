/// Byte-pair encoding of one word: the pair of lowest rank becomes one token, of equals the leftmost, until no pair
/// can.
///
/// The symbols are a doubly linked list and the candidates a binary heap of (rank, position), so a word of n symbols
/// takes O(n log n). The buffers are kept from word to word.
struct PairMerger {
    /// The symbols of the word; fill before `merge`, read after.
    var symbols: [Int32] = []

    private var next: [Int32] = []
    private var previous: [Int32] = []
    private var heap: [UInt64] = []

    /// Merges `symbols` in place.
    mutating func merge(with table: borrowing MergeTable) {
        let count = symbols.count
        if count < 2 { return }
        next.removeAll(keepingCapacity: true)
        previous.removeAll(keepingCapacity: true)
        heap.removeAll(keepingCapacity: true)
        for index in 0..<count {
            next.append(index + 1 < count ? Int32(index + 1) : -1)
            previous.append(Int32(index - 1))
        }
        for index in 0..<count - 1 { offer(Int32(index), table) }
        while let candidate = popSmallest() {
            let position = Int(candidate & 0xFFFF_FFFF)
            let left = symbols[position]
            let after = next[position]
            // A candidate is stale when one of its halves has been merged since.
            guard left >= 0, after >= 0, let entry = table.entry(left, symbols[Int(after)]),
                UInt64(entry.rank) == candidate >> 32
            else { continue }
            symbols[position] = entry.merged
            symbols[Int(after)] = -1
            let beyond = next[Int(after)]
            next[position] = beyond
            if beyond >= 0 {
                previous[Int(beyond)] = Int32(position)
                offer(Int32(position), table)
            }
            if previous[position] >= 0 { offer(previous[position], table) }
        }
        symbols.removeAll { $0 < 0 }
    }

    private mutating func offer(_ position: Int32, _ table: borrowing MergeTable) {
        let after = Int(next[Int(position)])
        guard let entry = table.entry(symbols[Int(position)], symbols[after]) else { return }
        push(UInt64(entry.rank) << 32 | UInt64(position))
    }

    private mutating func push(_ candidate: UInt64) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent] <= candidate { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = candidate
    }

    private mutating func popSmallest() -> UInt64? {
        guard let smallest = heap.first, let last = heap.popLast() else { return nil }
        let count = heap.count
        if count == 0 { return smallest }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            if child >= count { break }
            if child + 1 < count, heap[child + 1] < heap[child] { child += 1 }
            if heap[child] >= last { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return smallest
    }
}
