import Kernels

/// Draws rows of normally distributed weights straight in the form of a file, without quantising anything.
///
/// In a quantised row the values are normal, rounded to the grid of the format, and the scales vary a little from block
/// to block, so that weights have the deviation asked for and every part of a block counts. A row is a function of its
/// key alone.
struct SyntheticRows {
    private enum Form {
        case floats(FloatRows)
        case blocks(BlockRows)
    }

    private let rowByteCount: Int
    private let form: Form

    /// - Parameter deviation: the standard deviation of the weights.
    init(format: WeightFormat, columns: Int, deviation: Double) throws(KernelsError) {
        rowByteCount = try format.rowByteCount(columns: columns)
        form =
            format.isQuantized
            ? .blocks(try BlockRows(format: format, columns: columns, deviation: deviation))
            : .floats(FloatRows(format: format, deviation: deviation))
    }

    /// Writes consecutive rows; row `n` of them has the key `key(n)`.
    func draw(_ rows: Range<Int>, key: (Int) -> UInt64, into bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == rows.count * rowByteCount, "the bytes of the rows")
        func target(_ row: Int) -> UnsafeMutableRawBufferPointer {
            let start = (row - rows.lowerBound) * rowByteCount
            // In bounds by the check above.
            return unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<(start + rowByteCount)])
        }
        switch form {
        case .floats(let floats):
            for row in rows {
                var random = SplitMix64(seed: key(row))
                unsafe floats.draw(&random, into: target(row))
            }
        case .blocks(let blocks):
            var scratch = blocks.emptyRow
            for row in rows {
                var random = SplitMix64(seed: key(row))
                blocks.draw(&random, into: &scratch)
                unsafe scratch.encode(into: target(row))
            }
        }
    }
}

/// Rows of F32, F16 or BF16.
private struct FloatRows {
    /// The number of each 16 random bits: its bit pattern, and how many bytes that has.
    private let patterns: [UInt32]
    private let width: Int

    init(format: WeightFormat, deviation: Double) {
        width = format.blockByteCount
        patterns = NormalTable.quantiles(bitCount: 16).map { quantile in
            let value = Float(quantile * deviation)
            switch format {
            case .f16: return UInt32(Float16(value).bitPattern)
            // Round to nearest; no tie and no carry into infinity among these numbers matters.
            case .bf16: return (value.bitPattern &+ 0x8000) >> 16
            default: return value.bitPattern
            }
        }
    }

    func draw(_ random: inout SplitMix64, into bytes: UnsafeMutableRawBufferPointer) {
        let patterns = patterns.span
        var word: UInt64 = 0
        for place in 0..<bytes.count / width {
            word = place % 4 == 0 ? random.next() : word >> 16
            let pattern = patterns[Int(truncatingIfNeeded: word & 0xFFFF)]
            // `place` is less than the numbers that fit into the bytes.
            if width == 4 {
                unsafe bytes.storeBytes(of: pattern.littleEndian, toByteOffset: place * 4, as: UInt32.self)
            } else {
                let half = UInt16(truncatingIfNeeded: pattern).littleEndian
                unsafe bytes.storeBytes(of: half, toByteOffset: place * 2, as: UInt16.self)
            }
        }
    }
}

/// Rows of a quantised format.
private struct BlockRows {
    let emptyRow: QuantizedRow

    /// The stored value of each random byte.
    private let values: [UInt8]
    /// The stored sub-scale of each random byte; the same byte without sub-scales.
    private let subScales: [UInt8]
    /// The block scale that gives the deviation.
    private let scale: Double
    /// What the minimum is in block scales; 0 for a format without.
    private let minimum: Double

    init(format: WeightFormat, columns: Int, deviation: Double) throws(KernelsError) {
        emptyRow = try QuantizedRow(format: format, columns: columns)
        let bits = emptyRow.valueBitCount
        let top = Double(1 << bits - 1)
        let hasMinimum: Bool =
            switch format {
            case .q4x1, .q5x1, .q2K, .q4K, .q5K: true
            default: false
            }
        // Formats with a minimum are symmetric about the middle of the grid, the others about a point of it.
        let centre = hasMinimum ? top / 2 : (top + 1) / 2
        // Few bits cut the tails off: the last points of the grid stand for everything beyond.
        let reach = bits == 2 ? 1.5 : bits == 3 ? 2.2 : 2.9
        let quantiles = NormalTable.quantiles(bitCount: 8)
        let step = (top - centre) / reach
        let grid = quantiles.map { quantile in
            let rounded = (quantile.magnitude * step + centre).rounded(.toNearestOrEven)
            let distance = min(rounded, top) - centre
            return quantile < 0 ? -distance : distance
        }
        values = grid.map { UInt8($0 + centre) }
        let valueSquare = grid.reduce(0) { $0 + $1 * $1 } / Double(grid.count)

        let range: ClosedRange<Int> =
            switch format {
            case .q2K: 8...15
            case .q3K: 20...31
            case .q4K, .q5K: 40...63
            case .q6K: 80...127
            default: 1...1
            }
        let factors = (0..<256).map { range.lowerBound + $0 * range.count / 256 }
        subScales = factors.map { UInt8(format == .q3K ? $0 + 32 : $0) }
        let factorSquare = factors.reduce(0) { $0 + Double($1 * $1) } / Double(factors.count)
        scale = deviation / (valueSquare * factorSquare).squareRoot()
        // Q4_1 and Q5_1 add their minimum, the K formats subtract theirs, times the sub-scale here.
        minimum = !hasMinimum ? 0 : format == .q4x1 || format == .q5x1 ? -centre : centre
    }

    func draw(_ random: inout SplitMix64, into row: inout QuantizedRow) {
        for block in row.scales.indices {
            // Between 7/8 and 9/8 of the scale.
            let vary = 0.875 + Double(random.next() >> 56) / 1024
            row.scales[block] = Float16(scale * vary)
            row.minimums[block] = Float16(scale * vary * minimum)
        }
        if row.subBlockSize < row.format.blockSize {
            Self.fill(&row.subScales, from: subScales, &random)
            if minimum != 0 { row.subMinimums = row.subScales }
        }
        Self.fill(&row.values, from: values, &random)
    }

    /// Fills an array with entries of a table of 256 that random bytes pick.
    private static func fill(_ array: inout [UInt8], from table: [UInt8], _ random: inout SplitMix64) {
        var target = array.mutableSpan
        let table = table.span
        let whole = target.count & ~7
        for start in stride(from: 0, to: whole, by: 8) {
            let word = random.next()
            for byte in 0..<8 {
                target[start + byte] = table[Int(truncatingIfNeeded: (word >> (8 * UInt64(byte))) & 0xFF)]
            }
        }
        guard whole < target.count else { return }
        var word = random.next()
        for place in whole..<target.count {
            target[place] = table[Int(truncatingIfNeeded: word & 0xFF)]
            word >>= 8
        }
    }
}
