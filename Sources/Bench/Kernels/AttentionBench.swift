import Host
import Inference
import Kernels
import Phi

/// Attention of one position over keys and values that lie in memory: layers enough that no cache holds them.
final class AttentionBench {
    /// Bytes of keys and values to walk through, as far as memory allows.
    private static let byteCount = 256 << 20

    let format: AttentionPageFormat
    let depth: Int
    private let kernel: AttentionKernel
    private let pool: ComputePool
    private let pages: HugeBuffer
    private let table: [UInt32]
    private let query: LayerRows
    private let output: LayerRows
    private let scratch: LayerRows
    private var layer = 0

    init(_ plan: KernelBenchPlan, depth: Int, format: AttentionPageFormat, pool: ComputePool) throws {
        self.format = format
        self.depth = depth
        self.pool = pool
        let one = AttentionPageLayout(
            format: format, layerCount: 1, headCount: plan.keyValueHeadCount, headSize: plan.headSize)
        let pageCount = KVPage.count(holding: depth)
        let room = min(Self.byteCount, Machine.detect().availableByteCount / 4)
        let layout = AttentionPageLayout(
            format: format, layerCount: max(1, room / (one.pageByteCount * pageCount)),
            headCount: plan.keyValueHeadCount, headSize: plan.headSize)
        let groupCount = plan.headCount / plan.keyValueHeadCount
        kernel = AttentionKernel(
            layout: layout, groupCount: groupCount, scale: Float(1 / Double(plan.headSize).squareRoot()), window: 0)
        pages = try HugeBuffer(byteCount: layout.pageByteCount * pageCount)
        table = (0..<UInt32(pageCount)).map { $0 }
        query = try LayerRows.allocated(rowCount: 1, columnCount: plan.headCount * plan.headSize)
        output = try LayerRows.allocated(rowCount: 1, columnCount: plan.headCount * plan.headSize)
        scratch = try LayerRows.allocated(
            rowCount: pool.threadCount, columnCount: kernel.scratchCount(rowCount: 1))
        var random = SplitMix64(seed: 1)
        random.fill(query)
        fillPages(&random)
    }

    /// Bytes of keys and values that one call reads.
    var readByteCount: Double {
        Double(depth) * Double(kernel.layout.layerByteCount / KVPage.positionCount)
    }

    /// Products of queries with keys, and of weights with values.
    var multiplyAddCount: Double { 2 * Double(depth) * Double(query.columnCount) }

    /// Computes the next layer's attention; threads share out the heads.
    func attend() {
        pool.run(min(kernel.layout.headCount, pool.threadCount)) { thread in attend(thread) }
        layer = (layer + 1) % kernel.layout.layerCount
    }

    private func attend(_ thread: Int) {
        let width = kernel.groupCount * kernel.layout.headSize
        for head in stride(from: thread, to: kernel.layout.headCount, by: pool.threadCount) {
            let columns = head * width..<(head + 1) * width
            unsafe table.withUnsafeBufferPointer { table in
                // The table names the pages of every position up to the row's own, and the scratch row is this thread's.
                guard let pages = unsafe pages.unsafeBytes.baseAddress, let table = table.baseAddress,
                    let scratch = unsafe scratch.unsafeRow(thread).baseAddress
                else { return }
                unsafe kernel.attend(
                    query: query.columns(columns), out: output.columns(columns), pages: UnsafeRawPointer(pages),
                    pageTable: table, layer: layer, head: head, firstPosition: depth - 1, scratch: scratch)
            }
        }
    }

    /// Keys and values of all layers, from a few random rows.
    private func fillPages(_ random: inout SplitMix64) {
        let rows = (try? LayerRows.allocated(rowCount: 64, columnCount: kernel.layout.headSize)) ?? query
        random.fill(rows)
        let kernel = kernel
        let depth = depth
        let pages = pages
        pool.run(pool.threadCount) { thread in
            for layer in stride(from: thread, to: kernel.layout.layerCount, by: pool.threadCount) {
                for position in 0..<depth {
                    for head in 0..<kernel.layout.headCount {
                        // Every page of these positions lies in the buffer.
                        guard let start = unsafe pages.unsafeBytes.baseAddress,
                            let key = unsafe rows.unsafeRow(position % 64).baseAddress,
                            let value = unsafe rows.unsafeRow((position + head + 1) % 64).baseAddress
                        else { return }
                        unsafe kernel.store(
                            key: key, value: value, pages: start, page: position / KVPage.positionCount, layer: layer,
                            head: head, position: position)
                    }
                }
            }
        }
    }
}
