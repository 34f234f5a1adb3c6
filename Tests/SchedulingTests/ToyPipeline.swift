import Inference
import Testing

@testable import Scheduling

/// The workers of one epoch, as strict as real ones may be: pages hold entries, page tables come with the slices, and
/// every broken promise of the scheduler is reported.
struct ToyPipeline {
    let epoch: Epoch
    let pageCount: Int
    let maxRowCount: Int
    private var pages: [UInt32: [Int: ToyModel.Entry]] = [:]
    private var tables: [SequenceID: [Int: PageID]] = [:]
    private var samplers: [SequenceID: SequenceAdmission] = [:]
    private var generated: [SequenceID: [Int32]] = [:]
    /// Rows of prompts so far that an embedding is made of: all of them, so that none is missed.
    private var pools: [SequenceID: [Float]] = [:]
    /// Sequences whose pages were given to others: they must begin again before they go on.
    private var outdated: Set<SequenceID> = []
    private var expectedNumber: UInt64 = 0
    private(set) var problems: [String] = []
    private(set) var computedRowCount = 0
    private(set) var stepCount = 0

    init(epoch: Epoch, pageCount: Int, maxRowCount: Int) {
        self.epoch = epoch
        self.pageCount = pageCount
        self.maxRowCount = maxRowCount
    }

    /// Sequences that the stages hold something of.
    var liveSequences: Set<SequenceID> { Set(tables.keys).union(samplers.keys) }

    mutating func run(_ step: Step) -> StepResult {
        stepCount += 1
        if step.epoch != epoch { problems.append("step of \(step.epoch) in \(epoch)") }
        if step.number != expectedNumber { problems.append("step \(step.number) instead of \(expectedNumber)") }
        expectedNumber += 1
        if step.rowCount > maxRowCount { problems.append("\(step.rowCount) rows in a step") }
        if step.slices.isEmpty && step.retired.isEmpty { problems.append("an empty step") }
        for admission in step.admissions {
            samplers[admission.sequence] = admission
            generated[admission.sequence] = admission.generated
            tables[admission.sequence] = [:]
            pools[admission.sequence] = nil
            outdated.remove(admission.sequence)
            let slice = step.slices.first { $0.sequence == admission.sequence }
            if slice?.pages.first?.firstLogicalPage != 0 {
                problems.append("\(admission.sequence) is admitted without its page table")
            }
        }
        // Before the retired ones go: their pages must not be given out in this step yet.
        for slice in step.slices { assignPages(slice, retired: step.retired) }
        for id in step.retired {
            if samplers[id] == nil { problems.append("\(id) is retired but unknown") }
            tables[id] = nil
            samplers[id] = nil
            generated[id] = nil
            outdated.remove(id)
        }
        for slice in step.slices where outdated.contains(slice.sequence) {
            problems.append("\(slice.sequence) goes on though its pages were given away")
        }
        var results: [SliceResult] = []
        for slice in step.slices {
            if let result = compute(slice) { results.append(result) }
        }
        return StepResult(epoch: step.epoch, number: step.number, slices: results)
    }

    private mutating func assignPages(_ slice: Slice, retired: [SequenceID]) {
        for assignment in slice.pages {
            for (offset, page) in assignment.pages.enumerated() {
                if Int(page.rawValue) >= pageCount { problems.append("\(page) does not exist") }
                tables[slice.sequence, default: [:]][assignment.firstLogicalPage + offset] = page
            }
        }
        // Pages of a cached prefix are shared; those that are written are nobody else's, nor of one that ends with
        // this step. One that is about to cross into the long factors needs its old pages no more.
        let written =
            slice.firstPosition / KVPage.positionCount...(slice.firstPosition + slice.rowCount - 1)
            / KVPage.positionCount
        for logical in written {
            guard let page = tables[slice.sequence]?[logical] else { continue }
            for (id, table) in tables where id != slice.sequence && table.values.contains(page) {
                outdated.insert(id)
                guard retired.contains(id) else { continue }
                problems.append("\(page) belongs to \(id) and is written by \(slice.sequence)")
            }
        }
    }

    private mutating func compute(_ slice: Slice) -> SliceResult? {
        guard let sampler = samplers[slice.sequence] else {
            problems.append("\(slice.sequence) was never admitted")
            return nil
        }
        var scores: [ScoredToken] = []
        for (offset, token) in slice.tokens.enumerated() {
            let position = slice.firstPosition + offset
            guard let page = tables[slice.sequence]?[position / KVPage.positionCount] else {
                problems.append("no page for position \(position) of \(slice.sequence)")
                return nil
            }
            pages[page.rawValue, default: [:]][position % KVPage.positionCount] =
                ToyModel.Entry(token: token, position: position, regime: slice.regime)
            computedRowCount += 1
            if slice.outputs.contains(.promptLogprobs), position + 1 < sampler.prompt.count {
                let visible = visibleEntries(slice.sequence, end: position + 1)
                scores.append(
                    ToyModel.score(
                        sampler.prompt[position + 1], after: visible, logprobCount: sampler.promptLogprobCount ?? -1))
            }
        }
        guard !slice.outputs.isEmpty else { return nil }
        var sampled: ScoredToken?
        if slice.outputs.contains(.sample) {
            let end = slice.firstPosition + slice.rowCount
            let visible = visibleEntries(slice.sequence, end: end)
            // The sampler's own history must be what was computed.
            if visible.map(\.token) != sampler.prompt + (generated[slice.sequence] ?? []) {
                problems.append("the sampler of \(slice.sequence) knows other tokens than were computed")
            }
            let token = ToyModel.sample(
                visible, seed: sampler.seed, choice: sampler.choice, logprobCount: sampler.logprobCount)
            generated[slice.sequence]?.append(token.token)
            sampled = token
        }
        var embedding: [Float]?
        if slice.outputs.contains(.embedding) {
            let pool = pools.removeValue(forKey: slice.sequence) ?? []
            if pool.count != slice.firstPosition { problems.append("rows of \(slice.sequence) are not pooled") }
            embedding = pool + slice.tokens.map { Float($0) }
            if slice.firstPosition + slice.rowCount < sampler.prompt.count {
                pools[slice.sequence] = embedding
                embedding = nil
            }
        }
        return SliceResult(
            sequence: slice.sequence, sampled: sampled, firstPromptPosition: slice.firstPosition + 1,
            promptTokens: scores, embedding: embedding)
    }

    private func visibleEntries(_ sequence: SequenceID, end: Int) -> [ToyModel.Entry] {
        (0..<end).compactMap { position in
            guard let page = tables[sequence]?[position / KVPage.positionCount] else { return nil }
            return pages[page.rawValue]?[position % KVPage.positionCount]
        }
    }
}
