/// A generator that gives the same numbers for the same seed (SplitMix64), and damage made of them.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// Changes the bytes in one place.
    mutating func mutate(_ bytes: inout [UInt8]) {
        let pieces = [
            "null", "true", "-1", "1e999", "99999999999999999999", "\"\"", "[]", "{}", "\\ud800", "0.5", "\"x\"",
            "[[[[",
        ]
        let position = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &self)
        switch Int.random(in: 0..<5, using: &self) {
        case 0 where !bytes.isEmpty: bytes.remove(at: position)
        case 1 where !bytes.isEmpty: bytes[position] = UInt8.random(in: 0...255, using: &self)
        case 2: bytes.insert(UInt8.random(in: 0...255, using: &self), at: position)
        case 3 where !bytes.isEmpty:
            let end = min(position + Int.random(in: 0..<12, using: &self), bytes.count)
            let piece = pieces.randomElement(using: &self) ?? ""
            bytes.replaceSubrange(position..<end, with: Array(piece.utf8))
        default: bytes.insert(contentsOf: Array((pieces.randomElement(using: &self) ?? "").utf8), at: position)
        }
    }
}
