import Foundation
import Kernels

/// SplitMix64: the same numbers from the same seed everywhere.
struct MatrixRandom: RandomNumberGenerator {
    /// The seed of a property test: `PHALANX_TEST_SEED` when it is set, else the clock.
    static func seed() -> UInt64 {
        if let text = ProcessInfo.processInfo.environment["PHALANX_TEST_SEED"], let seed = UInt64(text) { return seed }
        return UInt64(Date().timeIntervalSince1970 * 1000)
    }

    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// Bytes of weights in file layout, every bit pattern alike.
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) }
    }

    /// Random weights with block scales (and minimums) of ordinary size: -0.125 to 0.125.
    mutating func ordinaryWeights(_ format: WeightFormat, rows: Int, columns: Int) throws -> [UInt8] {
        if format.blockSize == 1 { return ordinaryFloats(format, count: rows * columns) }
        var data = bytes(rows * (try format.rowByteCount(columns: columns)))
        for block in stride(from: 0, to: data.count, by: format.blockByteCount) {
            for offset in format.scaleOffsets {
                let scale = Float16(Float.random(in: -0.125...0.125, using: &self)).bitPattern
                data[block + offset] = UInt8(truncatingIfNeeded: scale)
                data[block + offset + 1] = UInt8(scale >> 8)
            }
        }
        return data
    }

    private mutating func ordinaryFloats(_ format: WeightFormat, count: Int) -> [UInt8] {
        (0..<count).flatMap { _ -> [UInt8] in
            let bits = Float.random(in: -1...1, using: &self).bitPattern
            switch format {
            case .f32: return (0..<4).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) }
            case .bf16: return (2..<4).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) }
            default:
                let half = Float16(Float(bitPattern: bits)).bitPattern
                return [UInt8(truncatingIfNeeded: half), UInt8(half >> 8)]
            }
        }
    }

    /// Numbers like activations: mostly small, a few large.
    mutating func activations(_ count: Int) -> [Float] {
        (0..<count).map { _ in
            let small = Float.random(in: -1...1, using: &self)
            return next() % 61 == 0 ? small * 40 : small
        }
    }
}

extension WeightFormat {
    /// Where a block's f16 scale and minimum lie in file layout.
    var scaleOffsets: [Int] {
        switch self {
        case .f32, .f16, .bf16: []
        case .q8x0, .q4x0, .q5x0: [0]
        case .q4x1, .q5x1, .q4K, .q5K: [0, 2]
        case .q2K: [80, 82]
        case .q3K: [108]
        case .q6K: [208]
        }
    }
}
