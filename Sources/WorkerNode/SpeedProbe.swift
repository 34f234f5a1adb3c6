import Host
import Kernels
import Phi

/// Measures how fast this machine multiplies with weights, for the split of the layers.
public enum SpeedProbe {
    /// Weights of the matrix: large enough to leave the caches of most machines.
    private static let rowCount = 4096
    private static let columnCount = 8192
    private static let roundCount = 5

    /// Bytes of weights per second in the best of a few products with one row, as in decoding.
    ///
    /// Takes a fraction of a second. Throws what the pool and the kernels throw.
    public static func bytesPerSecond(threadCount: Int, processors: [Int]?) throws -> Double {
        let format = WeightFormat.q8x0
        let pool = try ComputePool(threadCount: threadCount, cpus: processors)
        let rowByteCount = try format.rowByteCount(columns: columnCount)
        // The values do not matter for the time.
        let bytes = [UInt8](repeating: 0x2A, count: rowByteCount * rowCount)
        let matrix = try unsafe bytes.withUnsafeBytes { source in
            try unsafe PackedMatrix(
                format: format, columns: columnCount, sources: [MatrixSource(rows: rowCount, bytes: source)])
        }
        let input = try ActivationBuffer(layout: matrix.activationLayout, columns: columnCount, capacity: 1)
        var best = Duration.seconds(3600)
        let output = try LayerRows.allocated(rowCount: 1, columnCount: rowCount)
        for _ in 0..<roundCount {
            let began = ContinuousClock.now
            pool.run(threadCount) { thread in
                let first = thread * matrix.panelCount / threadCount
                let end = (thread + 1) * matrix.panelCount / threadCount
                if first < end { matrix.multiply(input, rowCount: 1, panels: first..<end, into: output) }
            }
            best = min(best, ContinuousClock.now - began)
        }
        let (seconds, attoseconds) = best.components
        return Double(matrix.byteCount) / max(Double(seconds) + Double(attoseconds) * 1e-18, 1e-9)
    }
}
