import Host
import Kernels
import Phi

/// Measures how fast this machine multiplies with weights, for the split of the layers.
public enum SpeedProbe {
    /// Weights of the matrix: large enough to leave the caches of most machines.
    private static let rowCount = 16384
    private static let columnCount = 8192
    private static let roundCount = 5
    /// Rows of a prompt chunk, enough to reach the full speed of multiplying.
    private static let chunkRowCount = 64
    /// Rows of weights that a chunk is multiplied with.
    private static let chunkWeightRowCount = 1024

    /// Bytes of weights per second in the best of a few products with one row, as in decoding.
    ///
    /// Takes a fraction of a second. Throws what the pool and the kernels throw.
    public static func bytesPerSecond(threadCount: Int, processors: [Int]?) throws -> Double {
        let product = try Product(
            weightRowCount: rowCount, rowCount: 1, threadCount: threadCount, processors: processors)
        return Double(product.matrix.byteCount) / product.bestSeconds(roundCount: roundCount)
    }

    /// Multiply-adds per second in the best of a few products with many rows, as in prompts.
    ///
    /// Takes a fraction of a second. Throws what the pool and the kernels throw.
    public static func multiplyAddsPerSecond(threadCount: Int, processors: [Int]?) throws -> Double {
        let product = try Product(
            weightRowCount: chunkWeightRowCount, rowCount: chunkRowCount, threadCount: threadCount,
            processors: processors)
        let count = chunkWeightRowCount * columnCount * chunkRowCount
        return Double(count) / product.bestSeconds(roundCount: roundCount)
    }

    /// A matrix with rows to multiply it with.
    private struct Product {
        let matrix: PackedMatrix
        private let pool: ComputePool
        private let input: ActivationBuffer
        private let output: LayerRows
        private let rowCount: Int
        private let threadCount: Int

        init(weightRowCount: Int, rowCount: Int, threadCount: Int, processors: [Int]?) throws {
            let format = WeightFormat.q8x0
            pool = try ComputePool(threadCount: threadCount, cpus: processors)
            let rowByteCount = try format.rowByteCount(columns: columnCount)
            // The values do not matter for the time.
            let bytes = [UInt8](repeating: 0x2A, count: rowByteCount * weightRowCount)
            matrix = try unsafe bytes.withUnsafeBytes { source in
                try unsafe PackedMatrix(
                    format: format, columns: columnCount,
                    sources: [MatrixSource(rows: weightRowCount, bytes: source)])
            }
            input = try ActivationBuffer(layout: matrix.activationLayout, columns: columnCount, capacity: rowCount)
            output = try LayerRows.allocated(rowCount: rowCount, columnCount: weightRowCount)
            self.rowCount = rowCount
            self.threadCount = threadCount
        }

        func bestSeconds(roundCount: Int) -> Double {
            var best = Duration.seconds(3600)
            for _ in 0..<roundCount {
                let began = ContinuousClock.now
                pool.run(threadCount) { thread in
                    let first = thread * matrix.panelCount / threadCount
                    let end = (thread + 1) * matrix.panelCount / threadCount
                    if first < end { matrix.multiply(input, rowCount: rowCount, panels: first..<end, into: output) }
                }
                best = min(best, ContinuousClock.now - began)
            }
            let (seconds, attoseconds) = best.components
            return max(Double(seconds) + Double(attoseconds) * 1e-18, 1e-9)
        }
    }
}
