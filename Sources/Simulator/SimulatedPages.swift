import Inference

/// The KV pages and page tables of one stage, which hold every step against what the scheduler promises.
///
/// - Positions of a sequence follow each other, also over a prefix that was there already.
/// - No page of a sequence is written by another one, as long as the sequence goes on with that page.
/// - A shared page is full, and holds what the sequence's own tokens would have left in it.
struct SimulatedPages {
    private struct Page {
        /// What the last position in it left.
        var chain = HashModel.beginning
        var filledCount = 0
        /// Rises whenever a sequence begins to write it.
        var use = 0
    }

    private struct Holding {
        let page: PageID
        /// The use of the page that the sequence knows; nil before it writes the page.
        var use: Int?
    }

    private struct Table {
        let admission: SequenceAdmission
        var pages: [Holding] = []
        /// Positions that are computed, or were there already; nil before the first slice.
        var length: Int?
    }

    /// What a slice gave.
    struct Row {
        /// What its last position left.
        let chain: UInt64
        /// What each of its positions left, if that was asked for.
        let chains: [UInt64]
        let admission: SequenceAdmission
    }

    private let maxRowCount: Int
    private let keepsChains: Bool
    private var pages: [Page]
    private var tables: [SequenceID: Table] = [:]
    /// Whether sequences may go on within a page: stages of the epoch before wrote it.
    private var isInherited = false

    init(pageCount: Int, maxRowCount: Int, keepsChains: Bool = false) {
        self.maxRowCount = maxRowCount
        self.keepsChains = keepsChains
        pages = Array(repeating: Page(), count: pageCount)
    }

    /// What another stage has in its pages; its sequences are not known.
    mutating func inherit(_ other: SimulatedPages) {
        pages = other.pages
        isInherited = true
    }

    /// Sequences that the stage remembers.
    var sequenceCount: Int { tables.count }

    /// Computes a step: one row per slice, that of its last position.
    mutating func run(_ step: Step) throws(Breach) -> [Row] {
        guard !step.slices.isEmpty || !step.retired.isEmpty else { throw Breach("step \(step.number) is empty") }
        guard step.rowCount <= maxRowCount else {
            throw Breach("step \(step.number) has \(step.rowCount) rows, more than \(maxRowCount)")
        }
        for sequence in step.retired where tables.removeValue(forKey: sequence) == nil {
            throw Breach("step \(step.number) retires \(sequence), which is unknown")
        }
        for admission in step.admissions { tables[admission.sequence] = Table(admission: admission) }
        var rows: [Row] = []
        rows.reserveCapacity(step.slices.count)
        for slice in step.slices { rows.append(try run(slice)) }
        return rows
    }

    private mutating func run(_ slice: Slice) throws(Breach) -> Row {
        guard let index = tables.index(forKey: slice.sequence) else {
            throw Breach("\(slice.sequence) has a slice but was never admitted")
        }
        // In place: the table is changed for every token of every stream.
        var table = tables.values[index]
        tables.values[index].pages = []
        for assignment in slice.pages { try assign(assignment, to: &table, slice.sequence) }
        let expected: Int
        if let length = table.length { expected = length } else { expected = try prefixCount(slice, &table) }
        guard slice.firstPosition == expected else {
            throw Breach("\(slice.sequence) goes on at position \(slice.firstPosition) instead of \(expected)")
        }
        for holding in table.pages {
            guard let use = holding.use, pages[Int(holding.page.rawValue)].use != use else { continue }
            throw Breach("\(holding.page) of \(slice.sequence) was written by another sequence meanwhile")
        }
        guard slice.rowCount > 0 else { throw Breach("\(slice.sequence) has a slice without rows") }
        var chain = HashModel.beginning
        var chains: [UInt64] = []
        for (offset, token) in slice.tokens.enumerated() {
            chain = try write(token, at: slice.firstPosition + offset, slice, &table)
            if keepsChains { chains.append(chain) }
        }
        table.length = slice.firstPosition + slice.rowCount
        tables.values[index] = table
        return Row(chain: chain, chains: chains, admission: table.admission)
    }

    private mutating func assign(
        _ assignment: PageAssignment, to table: inout Table, _ sequence: SequenceID
    ) throws(Breach) {
        guard assignment.firstLogicalPage == table.pages.count else {
            throw Breach(
                "\(sequence) gets logical page \(assignment.firstLogicalPage) after \(table.pages.count) pages")
        }
        for page in assignment.pages {
            guard Int(page.rawValue) < pages.count else { throw Breach("\(page) of \(sequence) does not exist") }
            table.pages.append(Holding(page: page))
        }
    }

    /// Positions before a sequence's first slice, which must be in full pages that hold its tokens.
    private func prefixCount(_ slice: Slice, _ table: inout Table) throws(Breach) -> Int {
        let count = slice.firstPosition
        let tokens = table.admission.prompt + table.admission.generated
        let isWithinPage = count % KVPage.positionCount != 0
        guard !isWithinPage || isInherited, count < tokens.count, KVPage.count(holding: count) <= table.pages.count
        else { throw Breach("\(slice.sequence) begins at position \(count), which no full pages lead to") }
        var chain = HashModel.beginning
        for position in 0..<count {
            chain = HashModel.extend(chain, token: tokens[position], regime: slice.regime)
            let filledCount = position % KVPage.positionCount + 1
            guard filledCount == KVPage.positionCount || position + 1 == count else { continue }
            let page = table.pages[position / KVPage.positionCount].page
            let found = pages[Int(page.rawValue)]
            guard found.filledCount == filledCount, found.chain == chain else {
                throw Breach("\(page) is shared with \(slice.sequence) but holds something else")
            }
            table.pages[position / KVPage.positionCount].use = found.use
        }
        return count
    }

    /// What the position leaves, from what the one before left.
    private mutating func write(
        _ token: Int32, at position: Int, _ slice: Slice, _ table: inout Table
    ) throws(Breach) -> UInt64 {
        let (logical, offset) = position.quotientAndRemainder(dividingBy: KVPage.positionCount)
        guard logical < table.pages.count else {
            throw Breach("\(slice.sequence) has no page for position \(position)")
        }
        let page = Int(table.pages[logical].page.rawValue)
        var before = pages[page].chain
        if offset == 0 {
            before = logical == 0 ? HashModel.beginning : pages[Int(table.pages[logical - 1].page.rawValue)].chain
            pages[page].use += 1
            table.pages[logical].use = pages[page].use
        } else if pages[page].filledCount != offset || table.pages[logical].use == nil {
            throw Breach("position \(position) of \(slice.sequence) does not follow what page \(page) holds")
        }
        let chain = HashModel.extend(before, token: token, regime: slice.regime)
        pages[page].chain = chain
        pages[page].filledCount = offset + 1
        return chain
    }
}
