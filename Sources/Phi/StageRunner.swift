public import Host
public import Inference
public import Kernels

/// What a stage hands on after a step.
public enum StageOutput: Sendable {
    /// For the next stage: `step.rowCount` x hidden size, float32 little-endian, row-major.
    case rows([UInt8])
    /// From the last stage: in the order of the step's slices, those that ask for output.
    case result(StepResult)
}

/// One stage of the pipeline at work: its layers, its KV pages, the page tables and samplers of its sequences.
///
///     let model = try StageModel.load(checkpoint, layers: layers, pool: pool) { done, total in ... }
///     let runner = try StageRunner(
///         model: model, kvType: .f16, pageCount: 512, maxRowCount: 512, vocabularyLimit: 32011, pool: pool)
///     switch try runner.run(step, rows: activation.rows) { ... }   // first stage: no rows
///
/// Buffers are allocated once, for `maxRowCount` rows. It belongs to one thread at a time, which is also the pool's
/// first; it is no business of this type that steps arrive in order and once.
public final class StageRunner {
    public let model: StageModel
    public let cache: KVCache
    public let maxRowCount: Int
    /// Ids from here on are padding and never sampled.
    public let vocabularyLimit: Int
    /// When the pages were written.
    public private(set) var journal: PageJournal

    private let forward: ForwardPass
    private let head: OutputHead?
    private let scorer: TokenScorer
    private var workspace: SamplerWorkspace
    private var sequences: StageSequences
    private var batch: ForwardBatch
    private var outputRows: [Int] = []

    /// Reserves pages and buffers.
    ///
    /// - Parameters:
    ///   - pageCount: KV pages of every layer.
    ///   - maxRowCount: the most rows in a step.
    ///   - vocabularyLimit: 1 to the vocabulary's size; ids from here on are padding.
    ///   - shared: whose pages are used, as far as it has the same layers, instead of new ones.
    /// - Throws: `PhiError` when a number is impossible or the memory cannot be reserved.
    public init(
        model: StageModel, kvType: KVType, pageCount: Int, maxRowCount: Int, vocabularyLimit: Int, pool: ComputePool,
        sharing shared: KVCache? = nil
    ) throws {
        let shape = model.shape
        guard maxRowCount > 0, maxRowCount <= 1 << 16 else {
            throw PhiError(code: .memory, message: "\(maxRowCount) rows per step are not possible: 1 to 65536")
        }
        guard vocabularyLimit > 0, vocabularyLimit <= shape.vocabularySize else {
            throw PhiError(
                code: .model,
                message: "the tokenizer has \(vocabularyLimit) tokens, the model \(shape.vocabularySize) rows; they "
                    + "do not belong together")
        }
        self.model = model
        self.maxRowCount = maxRowCount
        self.vocabularyLimit = vocabularyLimit
        cache = try KVCache(
            format: AttentionPageFormat(kvType), layers: model.layers, headCount: shape.keyValueHeadCount,
            headSize: shape.headSize, pageCount: pageCount, sharing: shared)
        journal = PageJournal(pageCount: pageCount)
        forward = try ForwardPass(
            shape: shape, rotary: model.rotary, layers: model.decoderLayers, cache: cache, maxRowCount: maxRowCount,
            pool: pool)
        head = try model.output.map { output in
            try OutputHead(
                norm: output.norm, matrix: output.head, epsilon: shape.normEpsilon, maxRowCount: maxRowCount, pool: pool
            )
        }
        scorer = TokenScorer(vocabularyLimit: vocabularyLimit)
        workspace = SamplerWorkspace(vocabularyLimit: vocabularyLimit)
        sequences = StageSequences(
            pageCount: pageCount, tableCapacity: shape.maxLogicalPageCount, vocabularyLimit: vocabularyLimit)
        batch = ForwardBatch(maxRowCount: maxRowCount, tileRowCount: forward.tileRowCount)
        outputRows.reserveCapacity(maxRowCount)
    }

    /// Bytes of weights, KV pages and buffers together.
    public var memoryByteCount: Int {
        model.weightByteCount + cache.byteCount + ForwardPass.byteCount(shape: model.shape, maxRowCount: maxRowCount)
            + (head?.byteCount ?? 0)
    }

    /// Computes a step.
    ///
    /// - Parameters:
    ///   - step: checked against the model, the pages and the buffers before anything is computed.
    ///   - rows: the previous stage's output; empty on the first stage.
    ///   - willCompute: called with each layer's absolute number before it is computed.
    /// - Throws: `PhiError` saying what in the step is impossible, or that its rows became numbers that are not finite; the
    ///   sequences' state is undefined after that, and the epoch should end.
    public func run(_ step: Step, rows: [UInt8], willCompute: (Int) -> Void = { _ in }) throws -> StageOutput {
        // Norms and sampling run on this thread; they must not lose subnormals here and keep them elsewhere.
        FloatingPointControl.useIEEE()
        try sequences.prepare(step, withSamplers: head != nil)
        try fillBatch(step)
        try takeIn(step, rows: rows)
        noteWrites()
        let firstLayer = model.layers.first
        forward.run(batch, layers: model.decoderLayers) { willCompute(firstLayer + $0) }
        try checkNumbers(of: step)
        guard let head else { return .rows(outgoingRows()) }
        return .result(
            StepResult(epoch: step.epoch, number: step.number, slices: try results(of: step, head: head)))
    }

    /// The hidden state after this stage's layers, for tests and tools: row `i` of the latest step.
    public var hiddenRows: LayerRows { forward.hidden.rows(0..<batch.rowCount) }

    // MARK: - Pages that move

    /// The pages hold what another stage wrote, up to what its journal says.
    public func adopt(_ journal: PageJournal) {
        precondition(journal.pageCount == cache.pageCount, "the journal of as many pages")
        self.journal = journal
    }

    /// Takes over what another stage has in a page.
    public func replace(_ page: PageID, layer: Int, with contents: [UInt8]) {
        cache.replace(page, layer: layer, with: contents)
        journal.write(page)
    }

    private func noteWrites() {
        journal.beginStep()
        for part in batch.parts {
            let last = part.firstPosition + part.rowCount - 1
            for page in part.firstPosition / KVPage.positionCount...last / KVPage.positionCount {
                journal.write(PageID(UInt32(part.pageTable.page(ofPosition: page * KVPage.positionCount))))
            }
        }
    }

    // MARK: - Input

    private func fillBatch(_ step: Step) throws {
        batch.removeAll()
        for slice in step.slices {
            let count = slice.rowCount
            let (end, overflow) = slice.firstPosition.addingReportingOverflow(count)
            guard count > 0, slice.firstPosition >= 0, !overflow, end <= model.shape.contextLength else {
                throw PhiError(
                    code: .step,
                    message: "\(slice.sequence): \(count) rows from position \(slice.firstPosition) on do not fit the "
                        + "context of \(model.shape.contextLength)")
            }
            guard count <= maxRowCount - batch.rowCount else {
                throw PhiError(code: .step, message: "the step has more than the \(maxRowCount) rows reserved")
            }
            guard let table = sequences.entries[slice.sequence]?.pageTable else {
                throw PhiError(code: .step, message: "\(slice.sequence) has no pages")
            }
            let window = model.shape.slidingWindow
            let firstSeen = window > 0 ? max(0, slice.firstPosition - window + 1) : 0
            let pages = firstSeen / KVPage.positionCount...(end - 1) / KVPage.positionCount
            if let missing = table.firstUnassigned(in: pages) {
                throw PhiError(
                    code: .step,
                    message: "\(slice.sequence): logical page \(missing) is needed for positions up to \(end - 1), but "
                        + "has no physical page")
            }
            batch.append(
                rowCount: count, firstPosition: slice.firstPosition, regime: slice.regime, pageTable: table)
        }
    }

    private func takeIn(_ step: Step, rows: [UInt8]) throws {
        if let embedding = model.embedding {
            guard rows.isEmpty else {
                throw PhiError(code: .step, message: "the first stage looks tokens up; it takes no rows")
            }
            var row = 0
            for slice in step.slices {
                for token in slice.tokens {
                    guard token >= 0, token < model.shape.vocabularySize else {
                        throw PhiError(
                            code: .step,
                            message: "\(slice.sequence): token \(token) is not in the vocabulary of "
                                + "\(model.shape.vocabularySize)")
                    }
                    embedding.look(up: token, into: forward.hidden.rows(row..<row + 1))
                    row += 1
                }
            }
            return
        }
        let rowByteCount = model.shape.hiddenSize * MemoryLayout<Float>.stride
        guard rows.count == batch.rowCount * rowByteCount else {
            throw PhiError(
                code: .step,
                message: "the step has \(batch.rowCount) rows of \(rowByteCount) bytes, but \(rows.count) bytes came")
        }
        unsafe rows.withUnsafeBytes { source in
            for row in 0..<batch.rowCount {
                let target = unsafe UnsafeMutableRawBufferPointer(forward.hidden.unsafeRow(row))
                // Sizes were checked above.
                unsafe target.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[row * rowByteCount..<(row + 1) * rowByteCount]))
            }
        }
    }

    private func outgoingRows() -> [UInt8] {
        let rowByteCount = model.shape.hiddenSize * MemoryLayout<Float>.stride
        let byteCount = batch.rowCount * rowByteCount
        return unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { target, count in
            for row in 0..<batch.rowCount {
                let source = unsafe UnsafeRawBufferPointer(forward.hidden.unsafeRow(row))
                let start = row * rowByteCount
                unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(target)[start..<start + rowByteCount]
                ).copyMemory(from: source)
            }
            count = byteCount
        }
    }

    // MARK: - Output

    private func results(of step: Step, head: OutputHead) throws -> [SliceResult] {
        let sampled = try sample(step, head: head)
        var results: [SliceResult] = []
        for (index, (slice, part)) in zip(step.slices, batch.parts).enumerated() where !slice.outputs.isEmpty {
            let scored = slice.outputs.contains(.promptLogprobs) ? try scorePrompt(slice, part, head: head) : []
            let embedding = slice.outputs.contains(.embedding) ? try pool(slice, part, head: head) : nil
            results.append(
                SliceResult(
                    sequence: slice.sequence, sampled: sampled[index], firstPromptPosition: slice.firstPosition + 1,
                    promptTokens: scored, embedding: embedding))
        }
        return results
    }

    /// Samples after the last row of every slice that asks for it; sequences share the products with the head.
    private func sample(_ step: Step, head: OutputHead) throws -> [ScoredToken?] {
        var sampled = [ScoredToken?](repeating: nil, count: step.slices.count)
        let asking = step.slices.indices.filter { step.slices[$0].outputs.contains(.sample) }
        for start in stride(from: 0, to: asking.count, by: head.rowCapacity) {
            let group = asking[start..<min(start + head.rowCapacity, asking.count)]
            outputRows.removeAll(keepingCapacity: true)
            for index in group { outputRows.append(batch.parts[index].firstRow + batch.parts[index].rowCount - 1) }
            head.compute(outputRows[...], of: forward.hidden)
            for (place, index) in group.enumerated() {
                let logits = head.logits.rows(place..<place + 1)
                let position = batch.parts[index].firstPosition + batch.parts[index].rowCount
                let slice = step.slices[index]
                if let mask = slice.mask, !(mask.first.map { $0 < vocabularyLimit } ?? false) {
                    throw PhiError(code: .step, message: "\(slice.sequence) may have none of the vocabulary's tokens")
                }
                sampled[index] = try sequences.withSampler(of: slice.sequence) { sampler, admission in
                    let token = sampler.sample(logits, position: position, mask: slice.mask, workspace: &workspace)
                    return scorer.score(token, logits: logits, topCount: admission.logprobCount ?? 0)
                }
            }
        }
        return sampled
    }

    private func pool(_ slice: Slice, _ part: ForwardBatch.Part, head: OutputHead) throws -> [Float]? {
        try sequences.pool(slice, columnCount: model.shape.hiddenSize) { pool in
            for row in part.firstRow..<part.firstRow + part.rowCount { pool.add(head.norm(row, of: forward.hidden)) }
        }
    }

    private func scorePrompt(
        _ slice: Slice, _ part: ForwardBatch.Part, head: OutputHead
    ) throws -> [ScoredToken] {
        guard let admission = sequences.entries[slice.sequence]?.admission else {
            throw PhiError(code: .step, message: "\(slice.sequence) has a prompt to score, but was never admitted")
        }
        let scoredCount = max(0, min(part.rowCount, admission.prompt.count - 1 - part.firstPosition))
        var scored: [ScoredToken] = []
        scored.reserveCapacity(scoredCount)
        for start in stride(from: 0, to: scoredCount, by: head.rowCapacity) {
            let end = min(start + head.rowCapacity, scoredCount)
            outputRows.removeAll(keepingCapacity: true)
            outputRows.append(contentsOf: part.firstRow + start..<part.firstRow + end)
            head.compute(outputRows[...], of: forward.hidden)
            for offset in start..<end {
                let token = admission.prompt[part.firstPosition + offset + 1]
                guard token >= 0, token < model.shape.vocabularySize else {
                    throw PhiError(
                        code: .step, message: "\(slice.sequence): prompt token \(token) is not in the vocabulary")
                }
                scored.append(
                    scorer.score(
                        token, logits: head.logits.rows(offset - start..<offset - start + 1),
                        topCount: admission.promptLogprobCount ?? 0))
            }
        }
        return scored
    }
}
