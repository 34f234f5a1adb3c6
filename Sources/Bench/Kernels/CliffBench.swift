import Host
import Kernels
import Phi

/// Looks for cliffs: row counts at which one row more makes all of them slower together.
public struct CliffBench: Sendable {
    /// What a matrix product does per row count.
    public struct Result: Sendable, Encodable {
        public let format: String
        public let isa: String
        public let threads: Int
        /// Rows of all products per second, for 1, 2, 3 ... rows.
        public let rowsPerSecond: [Double]
        /// Entry `r - 1`: the speed with `r + 1` rows as a part of that with `r` rows.
        public var ratios: [Double] { zip(rowsPerSecond, rowsPerSecond.dropFirst()).map { $1 / $0 } }
        /// The smallest of the ratios; 1 when there are none.
        public var smallestRatio: Double { ratios.min() ?? 1 }

        init(format: String, isa: String, threads: Int, rowsPerSecond: [Double]) {
            self.format = format
            self.isa = isa
            self.threads = threads
            self.rowsPerSecond = rowsPerSecond
        }

        private enum Keys: String, CodingKey {
            case format, isa, threads, ratios
            case rowsPerSecond = "rows_per_second"
            case smallestRatio = "smallest_ratio"
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(format, forKey: .format)
            try container.encode(isa, forKey: .isa)
            try container.encode(threads, forKey: .threads)
            try container.encode(rowsPerSecond, forKey: .rowsPerSecond)
            try container.encode(ratios, forKey: .ratios)
            try container.encode(smallestRatio, forKey: .smallestRatio)
        }
    }

    /// Rounds over all row counts, and products of a row count in each; the fastest counts.
    private static let roundCount = 20
    private static let productCount = 10

    /// Measures the products of one format with 1 to `maxRowCount` rows; weights come from memory.
    ///
    /// - Parameters:
    ///   - plan: its formats, instruction sets, shape and threads count.
    ///   - report: called on this thread with the result of each format and instruction set.
    public static func run(
        _ plan: KernelBenchPlan, maxRowCount: Int, progress: (String, Double) -> Void,
        report: (Result) throws -> Void
    ) throws {
        try plan.check()
        let used = ISA.current
        defer { try? used.use() }
        let pool = try ComputePool(threadCount: plan.threadCount)
        for format in plan.formats {
            let weights = try WeightSet(
                format: format, columns: plan.columnCount, outputs: plan.outputCount, maxRowCount: maxRowCount,
                pool: pool)
            for isa in plan.isas {
                try isa.use()
                var best = [Double](repeating: .infinity, count: maxRowCount)
                for round in 0..<Self.roundCount {
                    progress("\(format) with \(isa)", Double(round) / Double(Self.roundCount))
                    for rowCount in 1...maxRowCount {
                        // Each product for itself: the shorter what is timed, the less a busy neighbour spoils.
                        for _ in 0..<Self.productCount {
                            let seconds = Measurement.time { weights.multiply(rowCount: rowCount) }
                            best[rowCount - 1] = min(best[rowCount - 1], seconds)
                        }
                    }
                }
                let speeds = best.enumerated().map { Double($0.offset + 1) / $0.element }
                try report(
                    Result(
                        format: format.rawValue, isa: isa.rawValue, threads: plan.threadCount, rowsPerSecond: speeds))
            }
        }
    }
}
