import Inference

/// The KV pages of a plan: which are free, how many sequences use each, and which hold a prefix worth keeping.
///
/// A page is free, in use by one or more sequences, or idle: used by none, but found by the prefix cache until it is
/// given out again (the least recently used first; of one sequence its last page first).
struct PagePool: Sendable {
    private var free: PageAllocator
    private var userCounts: [Int32]
    private var idle: IdlePages
    private var cache: PrefixCache
    /// Rises whenever pages may be available, or prefixes found, that were not before.
    private(set) var version: UInt64 = 0

    init(pageCount: Int) {
        free = PageAllocator(pageCount: pageCount)
        userCounts = Array(repeating: 0, count: pageCount)
        idle = IdlePages(pageCount: pageCount)
        cache = PrefixCache(pageCount: pageCount)
    }

    var pageCount: Int { free.pageCount }
    /// Pages that no sequence uses.
    var availableCount: Int { free.freePageCount + idle.count }

    /// Those of them that hold cached prefixes.
    var idleCount: Int { idle.count }

    func isIdle(_ page: PageID) -> Bool { idle.contains(page) }

    /// Sequences that use the page.
    func userCount(_ page: PageID) -> Int { Int(userCounts[Int(page.rawValue)]) }

    /// Pages for one user, free ones before idle ones; nil (and no change) when there are too few.
    mutating func allocate(_ count: Int) -> [PageID]? {
        guard count <= availableCount else { return nil }
        while free.freePageCount < count, let page = idle.popOldest() {
            cache.remove(page)
            free.release([page])
        }
        guard let pages = free.allocate(count) else { return nil }
        for page in pages { userCounts[Int(page.rawValue)] = 1 }
        return pages
    }

    /// One more sequence uses these pages, which the cache found.
    mutating func claim(_ pages: [PageID]) {
        for page in pages {
            if idle.contains(page) { idle.remove(page) }
            precondition(cache.contains(page), "\(page) is shared but not cached")
            userCounts[Int(page.rawValue)] += 1
        }
    }

    /// A sequence uses its pages (in logical order) no longer.
    mutating func release(_ pages: [PageID]) {
        version += 1
        // The last first: the beginning of a sequence is what others may share, and is kept longest.
        for page in pages.reversed() {
            let index = Int(page.rawValue)
            precondition(userCounts[index] > 0, "\(page) is released but was not in use")
            userCounts[index] -= 1
            guard userCounts[index] == 0 else { continue }
            if cache.contains(page) { idle.append(page) } else { free.release([page]) }
        }
    }

    func match(
        pageLimit: Int, regime: RopeRegime, salt: String?, tokens: (Int) -> [Int32]
    ) -> PrefixCache.Match {
        cache.match(pageLimit: pageLimit, regime: regime, salt: salt, tokens: tokens)
    }

    /// A page in use holds the keys and values of these tokens from the step on that is being composed.
    mutating func remember(
        _ page: PageID, after parent: PrefixBlockID, regime: RopeRegime, salt: String?, tokens: [Int32]
    ) -> PrefixBlockID {
        version += 1
        precondition(userCounts[Int(page.rawValue)] > 0, "a page is remembered while it is used")
        return cache.insert(page, after: parent, regime: regime, salt: salt, tokens: tokens)
    }
}
