import Host
import Inference
import Kernels

/// Computes decoder layers over rows of hidden state, in buffers that are allocated once.
///
/// A row's result depends on its sequence's earlier positions and on nothing else: every product, norm and sum is
/// per row, and attention walks absolute positions. So the split into stages, chunks, batches and threads changes
/// nothing, bit for bit.
final class ForwardPass {
    /// The rows' hidden state: input and output. maxRowCount x hidden.
    let hidden: LayerRows
    let maxRowCount: Int
    /// Rows of one sequence whose attention is computed together: as many as make 32 queries of a key/value head, which
    /// is enough for reading keys and values to cost little beside the products with them.
    let tileRowCount: Int

    private let shape: DecoderShape
    private let rotary: RotaryEmbedding
    private let attention: AttentionKernel
    private let cache: KVCache
    private let pool: ComputePool

    private let fused: LayerRows
    private let attended: LayerRows
    private let delta: LayerRows
    private let gateUp: LayerRows
    private let cosine: LayerRows
    private let sine: LayerRows
    /// One row of attention's scratch memory per thread.
    private let scratch: LayerRows
    /// One row per thread that is quantised as soon as it is computed: normed, or gated. It never leaves the near cache.
    private let line: LayerRows
    private let hiddenActivations: ActivationSet
    private let attendedActivations: ActivationSet
    private let gatedActivations: ActivationSet

    init(
        shape: DecoderShape, rotary: RotaryEmbedding, layers: [DecoderLayer], cache: KVCache, maxRowCount: Int,
        pool: ComputePool
    ) throws {
        self.shape = shape
        self.rotary = rotary
        self.cache = cache
        self.maxRowCount = maxRowCount
        self.pool = pool
        attention = AttentionKernel(
            layout: cache.layerLayout, groupCount: shape.groupCount,
            scale: Float(1 / Double(shape.headSize).squareRoot()), window: shape.slidingWindow)
        tileRowCount = max(4, 32 / shape.groupCount)
        let scratchCount = attention.scratchCount(rowCount: tileRowCount)
        let rows = { (columns: Int) in try LayerRows.allocated(rowCount: maxRowCount, columnCount: columns) }
        hidden = try rows(shape.hiddenSize)
        fused = try rows(shape.fusedColumnCount)
        attended = try rows(shape.queryColumnCount)
        delta = try rows(shape.hiddenSize)
        gateUp = try rows(2 * shape.feedForwardSize)
        cosine = try rows(rotary.rotarySize / 2)
        sine = try rows(rotary.rotarySize / 2)
        scratch = try LayerRows.allocated(rowCount: pool.threadCount, columnCount: scratchCount)
        line = try LayerRows.allocated(
            rowCount: pool.threadCount, columnCount: max(shape.hiddenSize, shape.feedForwardSize))
        hiddenActivations = try ActivationSet(
            matrices: layers.flatMap { [$0.queryKeyValue, $0.gateUp] }, columns: shape.hiddenSize, capacity: maxRowCount
        )
        attendedActivations = try ActivationSet(
            matrices: layers.map(\.attentionOutput), columns: shape.queryColumnCount, capacity: maxRowCount)
        gatedActivations = try ActivationSet(
            matrices: layers.map(\.down), columns: shape.feedForwardSize, capacity: maxRowCount)
    }

    /// Bytes of the buffers, the activations' int8 forms left out.
    static func byteCount(shape: DecoderShape, maxRowCount: Int) -> Int {
        let columns = [
            shape.hiddenSize, shape.fusedColumnCount, shape.queryColumnCount, shape.hiddenSize,
            2 * shape.feedForwardSize, shape.headSize, shape.headSize,
            // The activations' own forms are at most as large as floats.
            shape.hiddenSize, shape.queryColumnCount, shape.feedForwardSize,
        ]
        return columns.reduce(0) { $0 + LayerRows.byteCount(rowCount: maxRowCount, columnCount: $1) }
    }

    /// Computes the layers in place on the first rows of `hidden`.
    ///
    /// - Parameters:
    ///   - batch: what the rows are.
    ///   - layers: this stage's layers, ascending; layer `i` uses the cache's layer `i`.
    ///   - willCompute: called with each index before the layer is computed.
    func run(_ batch: ForwardBatch, layers: [DecoderLayer], willCompute: (Int) -> Void) {
        precondition(batch.rowCount <= maxRowCount, "the batch was checked against the buffers")
        guard batch.rowCount > 0 else { return }
        share(.rotation(batch), batch.rowCount)
        for (index, layer) in layers.enumerated() {
            willCompute(index)
            computeAttention(layer, index: index, batch)
            computeFeedForward(layer, rowCount: batch.rowCount)
        }
    }

    // MARK: - A layer, phase by phase

    private func computeAttention(_ layer: DecoderLayer, index: Int, _ batch: ForwardBatch) {
        let rowCount = batch.rowCount
        share(.attentionInput(layer), rowCount)
        pool.multiply(
            layer.queryKeyValue, hiddenActivations.buffer(for: layer.queryKeyValue), rowCount: rowCount, into: fused)
        share(.keysAndValues(batch, layer: index), rowCount)
        share(.attention(batch, layer: index), batch.tiles.count * shape.keyValueHeadCount)
        share(.attentionOutputInput(layer), rowCount)
        pool.multiply(
            layer.attentionOutput, attendedActivations.buffer(for: layer.attentionOutput), rowCount: rowCount,
            into: delta)
    }

    private func computeFeedForward(_ layer: DecoderLayer, rowCount: Int) {
        share(.feedForwardInput(layer), rowCount)
        pool.multiply(layer.gateUp, hiddenActivations.buffer(for: layer.gateUp), rowCount: rowCount, into: gateUp)
        share(.gate(layer), rowCount)
        pool.multiply(layer.down, gatedActivations.buffer(for: layer.down), rowCount: rowCount, into: delta)
        share(.sum, rowCount)
    }

    /// Work between products that rows, or tasks of attention, are shared out for.
    private enum Phase {
        /// Sines and cosines of the rows' positions.
        case rotation(ForwardBatch)
        case attentionInput(DecoderLayer)
        /// Rotates queries and keys, and stores keys and values in their pages.
        case keysAndValues(ForwardBatch, layer: Int)
        case attention(ForwardBatch, layer: Int)
        case attentionOutputInput(DecoderLayer)
        case feedForwardInput(DecoderLayer)
        case gate(DecoderLayer)
        case sum
    }

    private struct PhaseTask: ComputeTask {
        let pass: ForwardPass
        let phase: Phase
        let pieces: Pieces

        func compute(_ piece: Int, thread: Int) { pass.compute(phase, piece: piece, of: pieces, thread: thread) }
    }

    /// Shares a phase out over the threads; allocates nothing.
    private func share(_ phase: Phase, _ count: Int) {
        let pieces = Pieces(count, pool: pool)
        pool.run(pieces.pieceCount, PhaseTask(pass: self, phase: phase, pieces: pieces))
    }

    private func compute(_ phase: Phase, piece: Int, of pieces: Pieces, thread: Int) {
        let rows = pieces[piece]
        switch phase {
        case .rotation(let batch):
            for row in rows { prepareRotation(batch.parts[batch.partOfRow[row]], row: row) }
        case .attentionInput(let layer):
            let input = hiddenActivations.buffer(for: layer.queryKeyValue)
            for row in rows { fill(input, normalizing: row, weight: layer.attentionNorm, thread: thread) }
        case .keysAndValues(let batch, let layer):
            for row in rows { rotateAndStore(batch.parts[batch.partOfRow[row]], row: row, layer: layer) }
        case .attention(let batch, let layer):
            // Dealt out like cards: later tiles of a prompt see more and cost more.
            for task in stride(from: piece, to: pieces.count, by: pieces.pieceCount) {
                attend(batch, task: task, layer: layer, thread: thread)
            }
        case .attentionOutputInput(let layer):
            attendedActivations.buffer(for: layer.attentionOutput).fill(rows, from: attended)
        case .feedForwardInput(let layer):
            let input = hiddenActivations.buffer(for: layer.gateUp)
            for row in rows {
                LayerKernels.add(delta.rows(row..<row + 1), to: hidden.rows(row..<row + 1))
                fill(input, normalizing: row, weight: layer.feedForwardNorm, thread: thread)
            }
        case .gate(let layer):
            let input = gatedActivations.buffer(for: layer.down)
            for row in rows { fill(input, gating: row, thread: thread) }
        case .sum:
            LayerKernels.add(delta.rows(rows), to: hidden.rows(rows))
        }
    }

    private func prepareRotation(_ part: ForwardBatch.Part, row: Int) {
        LayerKernels.ropeAngles(
            inverseFrequency: rotary.inverseFrequencies(part.regime), position: part.position(ofRow: row),
            factor: rotary.attentionFactor, cosine: cosine.rows(row..<row + 1), sine: sine.rows(row..<row + 1))
    }

    /// RMSNorm and quantisation of a row in one go.
    private func fill(_ input: ActivationBuffer, normalizing row: Int, weight: LayerRows, thread: Int) {
        let normed = line.rows(thread..<thread + 1).columns(0..<shape.hiddenSize)
        LayerKernels.rmsNorm(hidden.rows(row..<row + 1), weight: weight, epsilon: shape.normEpsilon, into: normed)
        input.fill(row, from: normed)
    }

    /// The gate and quantisation of a row in one go.
    private func fill(_ input: ActivationBuffer, gating row: Int, thread: Int) {
        let size = shape.feedForwardSize
        let both = gateUp.rows(row..<row + 1)
        let gated = line.rows(thread..<thread + 1).columns(0..<size)
        LayerKernels.siluGate(both.columns(0..<size), up: both.columns(size..<2 * size), into: gated)
        input.fill(row, from: gated)
    }

    /// Rotates a row's queries and keys, and stores its keys and values in the row's page.
    private func rotateAndStore(_ part: ForwardBatch.Part, row: Int, layer: Int) {
        let position = part.position(ofRow: row)
        let line = fused.rows(row..<row + 1)
        let keyStart = shape.queryColumnCount
        let valueStart = keyStart + shape.keyValueColumnCount
        LayerKernels.ropeRotate(
            line.columns(0..<valueStart), headCount: shape.headCount + shape.keyValueHeadCount,
            headSize: shape.headSize,
            cosine: cosine.rows(row..<row + 1), sine: sine.rows(row..<row + 1))
        let page = part.pageTable.page(ofPosition: position)
        // The page was checked against the cache's count when it was assigned; the row holds all heads.
        let numbers = unsafe line.unsafeRow(0)
        guard let start = numbers.baseAddress, let pages = unsafe cache.buffers[layer].unsafeBytes.baseAddress else {
            return
        }
        for head in 0..<shape.keyValueHeadCount {
            unsafe attention.store(
                key: start + keyStart + head * shape.headSize, value: start + valueStart + head * shape.headSize,
                pages: pages, page: page, layer: 0, head: head, position: position)
        }
    }

    private func attend(_ batch: ForwardBatch, task: Int, layer: Int, thread: Int) {
        let tile = batch.tiles[task / shape.keyValueHeadCount]
        let head = task % shape.keyValueHeadCount
        let part = batch.parts[tile.part]
        let firstRow = part.firstRow + tile.offset
        let columnCount = shape.groupCount * shape.headSize
        let columns = head * columnCount..<(head + 1) * columnCount
        let rows = firstRow..<firstRow + tile.rowCount
        // The scratch row belongs to this thread; the table names existing pages for every position that is seen.
        guard let pages = unsafe cache.buffers[layer].unsafeBytes.baseAddress,
            let scratch = unsafe scratch.unsafeRow(thread).baseAddress
        else { return }
        unsafe attention.attend(
            query: fused.rows(rows).columns(columns), out: attended.rows(rows).columns(columns),
            pages: UnsafeRawPointer(pages), pageTable: part.pageTable.start, layer: 0, head: head,
            firstPosition: part.firstPosition + tile.offset, scratch: scratch)
    }
}
