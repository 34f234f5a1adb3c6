import Host
import Kernels

/// Random numbers and weights of ordinary size, the same every time. Times depend little on them, but subnormals, NaN and
/// rows of zeros would be no fair load.
struct RandomWeights {
    private var state: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// Rows in file layout.
    mutating func bytes(format: WeightFormat, rows: Int, columns: Int) throws -> [UInt8] {
        let count = try format.rowByteCount(columns: columns) * rows
        var bytes = [UInt8](repeating: 0, count: count)
        let block = format.blockByteCount
        switch format {
        case .f32:
            for start in stride(from: 0, to: count, by: block) { store(Self.number(next()).bitPattern, &bytes, start) }
        case .f16:
            for start in stride(from: 0, to: count, by: block) {
                store(Float16(Self.number(next())).bitPattern, &bytes, start)
            }
        case .bf16:
            for start in stride(from: 0, to: count, by: block) {
                store(UInt16(Self.number(next()).bitPattern >> 16), &bytes, start)
            }
        default:
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: next() >> 32) }
            let scale = Float16(0.001).bitPattern
            for start in stride(from: 0, to: count, by: block) {
                for offset in Self.scaleOffsets(format) { store(scale, &bytes, start + offset) }
            }
        }
        return bytes
    }

    /// Fills rows of activations with numbers from -1 to 1.
    mutating func fill(_ rows: LayerRows) {
        for row in 0..<rows.rowCount {
            for column in 0..<rows.columnCount { rows[row, column] = Self.number(next()) }
        }
    }

    /// Where a block of quantised weights has its half-precision numbers (ggml-common.h).
    private static func scaleOffsets(_ format: WeightFormat) -> [Int] {
        switch format {
        case .q4x0, .q5x0, .q8x0: [0]
        case .q4x1, .q5x1, .q4K, .q5K: [0, 2]
        case .q2K: [80, 82]
        case .q3K: [108]
        case .q6K: [208]
        case .f32, .f16, .bf16: []
        }
    }

    private func store<Bits: FixedWidthInteger>(_ bits: Bits, _ bytes: inout [UInt8], _ start: Int) {
        for index in 0..<Bits.bitWidth / 8 { bytes[start + index] = UInt8(truncatingIfNeeded: bits >> (8 * index)) }
    }

    /// From -1 to 1.
    private static func number(_ bits: UInt64) -> Float { Float(bits >> 40) * 0x1p-23 - 1 }

    /// Marsaglia's xorshift64.
    private mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
