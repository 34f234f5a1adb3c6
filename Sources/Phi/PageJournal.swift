public import Inference

/// When each KV page of a stage was last written, by a clock that counts the stage's steps.
///
/// It is the same in all stages of a pipeline, since every step goes through all of them.
public struct PageJournal: Sendable {
    /// Rises with every step, before its pages are written.
    public private(set) var clock: UInt64 = 1
    /// 0 for pages that never were.
    private var written: [UInt64]

    public init(pageCount: Int) { written = Array(repeating: 0, count: pageCount) }

    public var pageCount: Int { written.count }

    mutating func beginStep() { clock += 1 }

    /// The page is written now.
    public mutating func write(_ page: PageID) { written[Int(page.rawValue)] = clock }

    /// Pages that were written after the clock was at `since`, ascending; with 0 all that ever were.
    public func pages(since: UInt64) -> [PageID] {
        written.indices.filter { written[$0] > since }.map { PageID(UInt32($0)) }
    }
}
