public import Inference

/// The free list of the KV pages that all stages share: pages are given out lowest first, so that runs replay.
public struct PageAllocator: Sendable {
    /// Pages in all, free or not.
    public let pageCount: Int

    /// Indices of free pages, as a binary min-heap.
    private var heap: [UInt32]
    private var isFree: [Bool]

    /// All pages are free. `pageCount` is at least 0 and fits 32 bits.
    public init(pageCount: Int) {
        precondition(pageCount >= 0 && pageCount <= Int(UInt32.max), "a page index has 32 bits")
        self.pageCount = pageCount
        // An ascending array is a heap already.
        heap = (0..<pageCount).map { UInt32($0) }
        isFree = Array(repeating: true, count: pageCount)
    }

    public var freePageCount: Int { heap.count }

    /// The free pages with the lowest indices, ascending; nil (and no change) when fewer are free. O(count log pages).
    public mutating func allocate(_ count: Int) -> [PageID]? {
        precondition(count >= 0)
        guard count <= heap.count else { return nil }
        return (0..<count).map { _ in popLowest() }
    }

    /// Makes the pages free again. Each must be in use. O(count log pages).
    public mutating func release(_ pages: [PageID]) {
        for page in pages {
            let index = Int(page.rawValue)
            precondition(index < pageCount && !isFree[index], "\(page) is released but was not in use")
            isFree[index] = true
            push(page.rawValue)
        }
    }

    private mutating func popLowest() -> PageID {
        let lowest = heap[0]
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        isFree[Int(lowest)] = false
        return PageID(lowest)
    }

    private mutating func push(_ index: UInt32) {
        heap.append(index)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[smallest] {
                smallest = child
            }
            guard smallest != parent else { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
