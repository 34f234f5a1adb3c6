import Kernels

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    /// The generator's finaliser: every bit depends on every bit.
    static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension SplitMix64 {
    /// Fills rows of activations with numbers from -1 to 1. Times depend little on them, but subnormals, NaN and rows of
    /// zeros would be no fair load.
    mutating func fill(_ rows: LayerRows) {
        for row in 0..<rows.rowCount {
            for column in 0..<rows.columnCount { rows[row, column] = Float(next() >> 40) * 0x1p-23 - 1 }
        }
    }
}
