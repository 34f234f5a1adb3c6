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

    private let shape: DecoderShape
    private let rotary: RotaryEmbedding
    private let attention: AttentionKernel
    private let cache: KVCache
    private let pool: ComputePool

    private let normed: LayerRows
    private let fused: LayerRows
    private let attended: LayerRows
    private let delta: LayerRows
    private let gateUp: LayerRows
    private let gated: LayerRows
    private let cosine: LayerRows
    private let sine: LayerRows
    /// One row of scratch memory per thread.
    private let scratch: LayerRows
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
            layout: cache.layout, groupCount: shape.groupCount,
            scale: Float(1 / Double(shape.headSize).squareRoot()), window: shape.slidingWindow)
        let scratchCount = attention.scratchCount(rowCount: ForwardBatch.tileRowCount)
        let rows = { (columns: Int) in try LayerRows.allocated(rowCount: maxRowCount, columnCount: columns) }
        hidden = try rows(shape.hiddenSize)
        normed = try rows(shape.hiddenSize)
        fused = try rows(shape.fusedColumnCount)
        attended = try rows(shape.queryColumnCount)
        delta = try rows(shape.hiddenSize)
        gateUp = try rows(2 * shape.feedForwardSize)
        gated = try rows(shape.feedForwardSize)
        cosine = try rows(rotary.rotarySize / 2)
        sine = try rows(rotary.rotarySize / 2)
        scratch = try LayerRows.allocated(rowCount: pool.threadCount, columnCount: scratchCount)
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
            shape.hiddenSize, shape.hiddenSize, shape.fusedColumnCount, shape.queryColumnCount, shape.hiddenSize,
            2 * shape.feedForwardSize, shape.feedForwardSize, shape.headSize, shape.headSize,
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
        prepareRotation(batch)
        for (index, layer) in layers.enumerated() {
            willCompute(index)
            computeAttention(layer, index: index, batch)
            computeFeedForward(layer, rowCount: batch.rowCount)
        }
    }

    private func prepareRotation(_ batch: ForwardBatch) {
        for part in batch.parts {
            let frequencies = rotary.inverseFrequencies(part.regime)
            pool.runRows(part.rowCount) { rows in
                for offset in rows {
                    let row = part.firstRow + offset
                    LayerKernels.ropeAngles(
                        inverseFrequency: frequencies, position: part.firstPosition + offset,
                        factor: rotary.attentionFactor, cosine: cosine.rows(row..<row + 1),
                        sine: sine.rows(row..<row + 1))
                }
            }
        }
    }

    private func computeAttention(_ layer: DecoderLayer, index: Int, _ batch: ForwardBatch) {
        let rowCount = batch.rowCount
        let input = hiddenActivations.buffer(for: layer.queryKeyValue)
        pool.runRows(rowCount) { rows in
            normalize(rows, weight: layer.attentionNorm)
            input.fill(rows, from: normed)
        }
        multiply(layer.queryKeyValue, input, rowCount: rowCount, into: fused)
        for part in batch.parts {
            pool.runRows(part.rowCount) { rows in
                for offset in rows { rotateAndStore(part, offset: offset, layer: index) }
            }
        }
        attend(batch, layer: index)
        let output = attendedActivations.buffer(for: layer.attentionOutput)
        pool.runRows(rowCount) { rows in output.fill(rows, from: attended) }
        multiply(layer.attentionOutput, output, rowCount: rowCount, into: delta)
    }

    private func computeFeedForward(_ layer: DecoderLayer, rowCount: Int) {
        let input = hiddenActivations.buffer(for: layer.gateUp)
        pool.runRows(rowCount) { rows in
            LayerKernels.add(delta.rows(rows), to: hidden.rows(rows))
            normalize(rows, weight: layer.feedForwardNorm)
            input.fill(rows, from: normed)
        }
        multiply(layer.gateUp, input, rowCount: rowCount, into: gateUp)
        let downInput = gatedActivations.buffer(for: layer.down)
        let size = shape.feedForwardSize
        pool.runRows(rowCount) { rows in
            let both = gateUp.rows(rows)
            LayerKernels.siluGate(both.columns(0..<size), up: both.columns(size..<2 * size), into: gated.rows(rows))
            downInput.fill(rows, from: gated)
        }
        multiply(layer.down, downInput, rowCount: rowCount, into: delta)
        pool.runRows(rowCount) { rows in LayerKernels.add(delta.rows(rows), to: hidden.rows(rows)) }
    }

    private func normalize(_ rows: Range<Int>, weight: LayerRows) {
        LayerKernels.rmsNorm(hidden.rows(rows), weight: weight, epsilon: shape.normEpsilon, into: normed.rows(rows))
    }

    private func multiply(_ matrix: PackedMatrix, _ input: ActivationBuffer, rowCount: Int, into output: LayerRows) {
        pool.runPanels(matrix.panelCount) { panels in
            matrix.multiply(input, rowCount: rowCount, panels: panels, into: output)
        }
    }

    /// Rotates a row's queries and keys, and stores its keys and values in the row's page.
    private func rotateAndStore(_ part: ForwardBatch.Part, offset: Int, layer: Int) {
        let row = part.firstRow + offset
        let position = part.firstPosition + offset
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
        guard let start = numbers.baseAddress, let pages = unsafe cache.buffer.unsafeBytes.baseAddress else {
            return
        }
        for head in 0..<shape.keyValueHeadCount {
            unsafe attention.store(
                key: start + keyStart + head * shape.headSize, value: start + valueStart + head * shape.headSize,
                pages: pages, page: page, layer: layer, head: head, position: position)
        }
    }

    private func attend(_ batch: ForwardBatch, layer: Int) {
        let headCount = shape.keyValueHeadCount
        let taskCount = batch.tiles.count * headCount
        let threadCount = min(pool.threadCount, taskCount)
        pool.run(threadCount) { thread in
            // Dealt out like cards: later tiles of a prompt see more and cost more.
            for task in stride(from: thread, to: taskCount, by: threadCount) {
                attend(batch, tile: batch.tiles[task / headCount], head: task % headCount, layer: layer, thread: thread)
            }
        }
    }

    private func attend(_ batch: ForwardBatch, tile: ForwardBatch.Tile, head: Int, layer: Int, thread: Int) {
        let part = batch.parts[tile.part]
        let firstRow = part.firstRow + tile.offset
        let columnCount = shape.groupCount * shape.headSize
        let columns = head * columnCount..<(head + 1) * columnCount
        let rows = firstRow..<firstRow + tile.rowCount
        // The scratch row belongs to this thread; the table names existing pages for every position that is seen.
        guard let pages = unsafe cache.buffer.unsafeBytes.baseAddress,
            let scratch = unsafe scratch.unsafeRow(thread).baseAddress
        else { return }
        unsafe attention.attend(
            query: fused.rows(rows).columns(columns), out: attended.rows(rows).columns(columns),
            pages: UnsafeRawPointer(pages), pageTable: part.pageTable.start, layer: layer, head: head,
            firstPosition: part.firstPosition + tile.offset, scratch: scratch)
    }
}
