/// Random numbers that are a pure function of a key: nothing is drawn in order, so a replayed or resumed request draws
/// the same numbers as an uninterrupted one.
///
/// Philox 4x32 with 10 rounds (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011). The key is the
/// request's seed; the counter is the absolute position of the sampled token (64 bits), the choice's index (32 bits)
/// and 0.
public struct CounterRandom: Sendable, Hashable {
    public let seed: UInt64
    public let choice: UInt32

    public init(seed: UInt64, choice: UInt32) {
        self.seed = seed
        self.choice = choice
    }

    /// The number in [0, 1) that belongs to a position: the first 53 of Philox's bits, divided by 2^53.
    public func uniform(position: UInt64) -> Double {
        let counter = SIMD4(
            UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32), choice, 0)
        let words = Self.philox(
            counter: counter, key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
        let bits = UInt64(words.x) << 32 | UInt64(words.y)
        return Double(bits >> 11) * 0x1p-53
    }

    /// Ten rounds of Philox 4x32.
    static func philox(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var block = counter
        var key = key
        for _ in 0..<10 {
            let first = block.x.multipliedFullWidth(by: 0xD251_1F53)
            let second = block.z.multipliedFullWidth(by: 0xCD9E_8D57)
            block = SIMD4(
                second.high ^ block.y ^ key.x, second.low, first.high ^ block.w ^ key.y, first.low)
            key = SIMD2(key.x &+ 0x9E37_79B9, key.y &+ 0xBB67_AE85)
        }
        return block
    }
}
