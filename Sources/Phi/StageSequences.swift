import Inference

/// What a stage remembers of the sequences that it computes: page tables, and on the last stage the samplers.
struct StageSequences {
    /// A live sequence.
    struct Entry {
        let pageTable: PageTable
        var admission: SequenceAdmission?
        var sampler: Sampler?
        /// The prompt's rows so far, of a sequence whose mean is wanted.
        var pool: MeanPool?
    }

    /// Sequences that a stage takes at once; beyond it the coordinator has lost count.
    static let maxCount = 1 << 16
    /// Alternatives per token that may be asked for.
    static let maxLogprobCount = 1024

    private(set) var entries: [SequenceID: Entry] = [:]
    private let pageCount: Int
    private let tableCapacity: Int
    private let vocabularyLimit: Int

    init(pageCount: Int, tableCapacity: Int, vocabularyLimit: Int) {
        self.pageCount = pageCount
        self.tableCapacity = tableCapacity
        self.vocabularyLimit = vocabularyLimit
    }

    /// Forgets what ends before a step, and takes in what begins with it.
    mutating func prepare(_ step: Step, withSamplers: Bool) throws {
        for sequence in step.retired { entries[sequence] = nil }
        for admission in step.admissions { try admit(admission, withSampler: withSamplers) }
        for slice in step.slices {
            guard !slice.pages.isEmpty || entries[slice.sequence] == nil else { continue }
            let table = try pageTable(slice.sequence)
            for assignment in slice.pages {
                try table.assign(assignment, pageCount: pageCount, sequence: slice.sequence)
            }
        }
    }

    /// Samples with a sequence's own state; the body must not keep it.
    mutating func withSampler<Result>(
        of sequence: SequenceID, _ body: (inout Sampler, SequenceAdmission) throws -> Result
    ) throws -> Result {
        guard var sampler = entries[sequence]?.sampler, let admission = entries[sequence]?.admission else {
            throw PhiError(
                code: .step, message: "\(sequence) is to be sampled, but was never admitted to this stage")
        }
        // Taken out while in use, so that its tables are changed in place and never copied.
        entries[sequence]?.sampler = nil
        defer { entries[sequence]?.sampler = sampler }
        return try body(&sampler, admission)
    }

    /// Has a slice's rows added to its sequence's mean.
    ///
    /// - Returns: The mean once the prompt's last row is in it, nil before.
    mutating func pool(
        _ slice: Slice, columnCount: Int, _ add: (inout MeanPool) -> Void
    ) throws -> [Float]? {
        let sequence = slice.sequence
        guard let promptCount = entries[sequence]?.admission?.prompt.count else {
            throw PhiError(code: .step, message: "\(sequence) is to be pooled, but was never admitted")
        }
        let known = slice.firstPosition == 0 ? MeanPool(columnCount: columnCount) : entries[sequence]?.pool
        guard var pool = known, pool.rowCount == slice.firstPosition,
            slice.firstPosition + slice.rowCount <= promptCount
        else {
            throw PhiError(
                code: .step,
                message:
                    "\(sequence): \(slice.rowCount) rows from position \(slice.firstPosition) on are to be pooled, but "
                    + "\(known?.rowCount ?? 0) came before and the prompt has \(promptCount)")
        }
        // Taken out while in use, so that it is changed in place.
        entries[sequence]?.pool = nil
        add(&pool)
        guard pool.rowCount < promptCount else { return pool.mean }
        entries[sequence]?.pool = pool
        return nil
    }

    private mutating func admit(_ admission: SequenceAdmission, withSampler: Bool) throws {
        let counts = [admission.logprobCount, admission.promptLogprobCount].compactMap { $0 }
        guard counts.allSatisfy({ (0...Self.maxLogprobCount).contains($0) }) else {
            throw PhiError(
                code: .step,
                message: "\(admission.sequence) asks for \(counts.max() ?? 0) alternatives per token; at most "
                    + "\(Self.maxLogprobCount) are possible")
        }
        let table = try pageTable(admission.sequence)
        entries[admission.sequence] = Entry(
            pageTable: table, admission: admission,
            sampler: withSampler ? Sampler(admission, vocabularyLimit: vocabularyLimit) : nil)
    }

    private mutating func pageTable(_ sequence: SequenceID) throws -> PageTable {
        if let table = entries[sequence]?.pageTable { return table }
        guard entries.count < Self.maxCount else {
            throw PhiError(
                code: .step, message: "\(sequence) is one too many: this stage holds \(entries.count) sequences already"
            )
        }
        let table = PageTable(capacity: tableCapacity)
        entries[sequence] = Entry(pageTable: table, admission: nil, sampler: nil)
        return table
    }
}
