import Host
import Kernels
import Phi

/// Copies of one matrix, more than caches hold: a product that takes the next one each time reads from memory, as in a
/// model with many layers.
final class WeightSet {
    /// Bytes of all copies together, as far as memory allows.
    static let byteCount = 512 << 20

    let format: WeightFormat
    let matrices: [PackedMatrix]

    private let pool: ComputePool
    private let input: ActivationBuffer
    private let output: LayerRows
    private var next = 0

    init(format: WeightFormat, columns: Int, outputs: Int, maxRowCount: Int, pool: ComputePool) throws {
        self.format = format
        self.pool = pool
        let rowByteCount = try format.rowByteCount(columns: columns)
        var bytes = [UInt8](repeating: 0, count: rowByteCount * outputs)
        let weights = try SyntheticRows(format: format, columns: columns, deviation: 0.02)
        // As many bytes as the rows have.
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe weights.draw(0..<outputs, key: { UInt64($0) }, into: target)
        }
        let matrixByteCount = try PackedMatrix.byteCount(format: format, rows: outputs, columns: columns)
        let stride = (matrixByteCount + 4095) / 4096 * 4096
        let room = min(Self.byteCount, Machine.detect().availableByteCount / 4)
        let count = max(1, room / stride)
        let buffer = try HugeBuffer(byteCount: stride * count)
        let storage = { (index: Int) in
            // Each copy has a part of the buffer, which the matrix keeps.
            unsafe MatrixStorage(
                bytes: UnsafeMutableRawBufferPointer(
                    rebasing: buffer.unsafeBytes[index * stride..<index * stride + matrixByteCount]), owner: buffer)
        }
        let first = try unsafe bytes.withUnsafeBytes { source in
            try unsafe PackedMatrix(
                format: format, columns: columns, sources: [MatrixSource(rows: outputs, bytes: source)],
                storage: storage(0)
            ) { count, body in
                pool.run(pool.threadCount) { thread in
                    body(count * thread / pool.threadCount..<count * (thread + 1) / pool.threadCount)
                }
            }
        }
        var matrices = [first]
        for index in 1..<max(1, count) {
            let target = storage(index)
            first.withPackedBytes { packed in
                // Both have `matrixByteCount` bytes.
                unsafe packed.withUnsafeBytes { source in unsafe target.bytes.copyMemory(from: source) }
            }
            matrices.append(try PackedMatrix(format: format, rows: outputs, columns: columns, packed: target))
        }
        self.matrices = matrices
        input = try ActivationBuffer(layout: format.activationLayout, columns: columns, capacity: maxRowCount)
        output = try LayerRows.allocated(rowCount: maxRowCount, columnCount: outputs)
        let rows = try LayerRows.allocated(rowCount: maxRowCount, columnCount: columns)
        var random = SplitMix64(seed: 1)
        random.fill(rows)
        input.fill(0..<maxRowCount, from: rows)
    }

    /// Multiplies rows with the next copy, with the kernels in use.
    func multiply(rowCount: Int) {
        pool.multiply(matrices[next], input, rowCount: rowCount, into: output)
        next = (next + 1) % matrices.count
    }
}
