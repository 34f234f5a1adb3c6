import Inference

/// Pages that nobody uses but the prefix cache, the least recently used first: a linked list over page numbers.
///
/// Every operation is O(1).
struct IdlePages: Sendable {
    private var previous: [Int?]
    private var next: [Int?]
    private var isMember: [Bool]
    private var oldest: Int?
    private var newest: Int?
    private(set) var count = 0

    init(pageCount: Int) {
        previous = Array(repeating: nil, count: pageCount)
        next = Array(repeating: nil, count: pageCount)
        isMember = Array(repeating: false, count: pageCount)
    }

    func contains(_ page: PageID) -> Bool { isMember[Int(page.rawValue)] }

    /// Adds a page as the most recently used one.
    mutating func append(_ page: PageID) {
        let index = Int(page.rawValue)
        precondition(!isMember[index], "\(page) is idle already")
        isMember[index] = true
        previous[index] = newest
        next[index] = nil
        if let newest { next[newest] = index } else { oldest = index }
        newest = index
        count += 1
    }

    mutating func remove(_ page: PageID) {
        let index = Int(page.rawValue)
        precondition(isMember[index], "\(page) is not idle")
        isMember[index] = false
        let (before, after) = (previous[index], next[index])
        if let before { next[before] = after } else { oldest = after }
        if let after { previous[after] = before } else { newest = before }
        count -= 1
    }

    mutating func popOldest() -> PageID? {
        guard let oldest else { return nil }
        let page = PageID(UInt32(oldest))
        remove(page)
        return page
    }
}
