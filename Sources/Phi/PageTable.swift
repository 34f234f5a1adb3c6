import Inference

/// Where a sequence's positions lie: the physical page of each logical page.
///
/// Its memory is allocated once, for the longest sequence that the model allows.
///
/// Safe to use: every access is checked against the capacity.
@safe final class PageTable {
    /// Logical pages that a sequence can have.
    let capacity: Int
    /// Physical pages; `unassigned` where none was named yet. Owned by this object, freed in `deinit`.
    private let entries: UnsafeMutableBufferPointer<UInt32>

    private static let unassigned = UInt32.max

    init(capacity: Int) {
        self.capacity = capacity
        unsafe entries = .allocate(capacity: capacity)
        unsafe entries.initialize(repeating: Self.unassigned)
    }

    deinit {
        unsafe entries.deallocate()
    }

    /// Takes a change of the table over.
    ///
    /// - Throws: `PhiError` when it names a page or a place that does not exist.
    func assign(_ assignment: PageAssignment, pageCount: Int, sequence: SequenceID) throws {
        let first = assignment.firstLogicalPage
        guard first >= 0, first <= capacity, assignment.pages.count <= capacity - first else {
            throw PhiError(
                code: .step,
                message: "\(sequence): pages from logical page \(first) on lie beyond the context of \(capacity) pages")
        }
        for (offset, page) in assignment.pages.enumerated() {
            guard page.rawValue < UInt32(clamping: pageCount) else {
                throw PhiError(code: .step, message: "\(sequence): \(page) does not exist; there are \(pageCount)")
            }
            unsafe entries[first + offset] = page.rawValue
        }
    }

    /// The first logical page of a range without a physical one.
    func firstUnassigned(in pages: ClosedRange<Int>) -> Int? {
        pages.first { unsafe $0 < 0 || $0 >= capacity || entries[$0] == Self.unassigned }
    }

    /// The physical page of a position that is known to be assigned.
    func page(ofPosition position: Int) -> Int {
        let logical = position / KVPage.positionCount
        precondition(logical < capacity, "a position of the sequence")
        return unsafe Int(entries[logical])
    }

    /// The table as the attention kernel reads it. Valid while this object is alive.
    @unsafe var start: UnsafePointer<UInt32> {
        // Allocated with a capacity of at least one entry.
        unsafe UnsafePointer(entries.baseAddress.unsafelyUnwrapped)
    }
}
