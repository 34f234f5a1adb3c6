import Inference
import TestSupport
import Testing

@testable import Scheduling

@Suite struct PageAllocatorTests {
    @Test func `pages come lowest first and all or none`() throws {
        var allocator = PageAllocator(pageCount: 4)
        #expect(allocator.allocate(3) == [PageID(0), PageID(1), PageID(2)])
        #expect(allocator.allocate(2) == nil)
        #expect(allocator.freePageCount == 1)
        allocator.release([PageID(1)])
        #expect(allocator.allocate(2) == [PageID(1), PageID(3)])
        #expect(allocator.allocate(0) == [])
    }

    @Test(arguments: 0..<20)
    func `the free list agrees with a set`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var allocator = PageAllocator(pageCount: 30)
        var free = Set<UInt32>(0..<30)
        var held: [PageID] = []
        for _ in 0..<500 {
            if Bool.random(using: &random) {
                let count = Int.random(in: 0...6, using: &random)
                let pages = allocator.allocate(count)
                let expected = free.count < count ? nil : free.sorted().prefix(count).map { PageID($0) }
                #expect(pages == expected, "seed \(seed)")
                held += pages ?? []
                free.subtract((pages ?? []).map(\.rawValue))
            } else {
                held.shuffle(using: &random)
                let count = Int.random(in: 0...held.count, using: &random)
                allocator.release(Array(held.suffix(count)))
                free.formUnion(held.suffix(count).map(\.rawValue))
                held.removeLast(count)
            }
            #expect(allocator.freePageCount == free.count, "seed \(seed)")
        }
    }
}
