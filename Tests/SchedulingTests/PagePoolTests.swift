import Inference
import Testing

@testable import Scheduling

@Suite struct PagePoolTests {
    private func block(_ first: Int32) -> [Int32] { (0..<64).map { first + $0 } }

    /// A pool of 4 pages in which 3 in a row are cached and idle.
    private func pool() -> (PagePool, [PageID]) {
        var pool = PagePool(pageCount: 4)
        let pages = pool.allocate(3) ?? []
        var parent = PrefixBlockID.root
        for (index, page) in pages.enumerated() {
            parent = pool.remember(page, after: parent, regime: .short, salt: nil, tokens: block(Int32(index)))
        }
        pool.release(pages)
        return (pool, pages)
    }

    private func found(
        _ pool: PagePool, regime: RopeRegime = .short, salt: String? = nil, first: Int32 = 0
    ) -> [PageID] {
        pool.match(pageLimit: 9, regime: regime, salt: salt) { $0 < 4 ? block(Int32($0) + first) : [] }.pages
    }

    @Test func `a prefix is found by all its tokens and its regime`() {
        let (pool, pages) = pool()
        #expect(found(pool) == pages)
        #expect(found(pool, regime: .long).isEmpty)
        #expect(found(pool, first: 1).isEmpty, "the second block alone is another sequence's beginning")
        #expect(
            pool.match(pageLimit: 2, regime: .short, salt: nil) { block(Int32($0)) }.pages == Array(pages.prefix(2)))
        #expect(pool.availableCount == 4)
    }

    @Test func `a prefix is found with its salt alone`() {
        var (pool, pages) = pool()
        #expect(found(pool, salt: "s").isEmpty && found(pool, salt: "").isEmpty)
        let own = pool.allocate(1) ?? []
        let block = pool.remember(own[0], after: .root, regime: .short, salt: "s", tokens: block(0))
        pool.release(own)
        #expect(found(pool, salt: "s") == own && found(pool, salt: "t").isEmpty && found(pool) == pages)
        #expect(block != .root)
    }

    @Test func `the end of the least recently used sequence is given out first`() {
        var (pool, pages) = pool()
        #expect(pool.allocate(2) == [pages[2], PageID(3)], "the free one and the last cached one")
        #expect(found(pool) == Array(pages.prefix(2)))
        #expect(pool.allocate(3) == nil)
        #expect(pool.availableCount == 2)
    }

    @Test func `a shared page is nobody's only after its last user`() {
        var (pool, pages) = pool()
        pool.claim(pages)
        pool.claim([pages[0]])
        #expect(pool.availableCount == 1 && pool.userCount(pages[0]) == 2)
        pool.release(pages)
        #expect(pool.availableCount == 3 && !pool.isIdle(pages[0]))
        #expect(pool.allocate(3)?.contains(pages[0]) == false)
        pool.release([pages[0]])
        #expect(pool.isIdle(pages[0]) && found(pool) == [pages[0]])
    }

    @Test func `of two pages with the same tokens the first is kept`() {
        var (pool, pages) = pool()
        let twin = pool.allocate(1) ?? []
        let id = pool.remember(twin[0], after: .root, regime: .short, salt: nil, tokens: block(0))
        #expect(found(pool) == pages)
        pool.claim([pages[0]])
        #expect(pool.remember(pages[0], after: .root, regime: .short, salt: nil, tokens: block(0)) == id)
        pool.release(twin)
        #expect(!pool.isIdle(twin[0]) && pool.availableCount == 3)
    }
}
