/// A set of Unicode scalar values as ascending ranges that do not touch. Surrogates are never in it.
struct ScalarSet: Hashable {
    private(set) var ranges: [ClosedRange<UInt32>]

    static let all = ScalarSet([0...0x10FFFF])

    init(_ ranges: [ClosedRange<UInt32>]) {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.flatMap(Self.withoutSurrogates).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    var isEmpty: Bool { ranges.isEmpty }

    var complement: ScalarSet {
        var rest: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { rest.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= 0x10FFFF { rest.append(next...0x10FFFF) }
        return ScalarSet(rest)
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    func intersection(_ other: ScalarSet) -> ScalarSet { complement.union(other.complement).complement }

    func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }

    private static func withoutSurrogates(_ range: ClosedRange<UInt32>) -> [ClosedRange<UInt32>] {
        var parts: [ClosedRange<UInt32>] = []
        if range.lowerBound < 0xD800 { parts.append(range.lowerBound...min(range.upperBound, 0xD7FF)) }
        if range.upperBound > 0xDFFF { parts.append(max(range.lowerBound, 0xE000)...range.upperBound) }
        return parts
    }

    /// The set's characters in UTF-8: sequences of ranges of bytes.
    ///
    /// Ranges are cut where the encoding's length changes and where a continuation byte would not run freely
    /// (the method of Russ Cox's RE2).
    var byteSequences: [[ClosedRange<UInt8>]] {
        var sequences: [[ClosedRange<UInt8>]] = []
        for range in ranges { Self.append(range.lowerBound, range.upperBound, to: &sequences) }
        return sequences
    }

    private static func append(_ low: UInt32, _ high: UInt32, to sequences: inout [[ClosedRange<UInt8>]]) {
        for limit: UInt32 in [0x7F, 0x7FF, 0xFFFF] where low <= limit && limit < high {
            append(low, limit, to: &sequences)
            append(limit + 1, high, to: &sequences)
            return
        }
        if high <= 0x7F {
            sequences.append([UInt8(low)...UInt8(high)])
            return
        }
        for bits in [6, 12, 18] as [UInt32] {
            let mask: UInt32 = 1 << bits - 1
            guard low & ~mask != high & ~mask else { continue }
            if low & mask != 0 {
                append(low, low | mask, to: &sequences)
                append((low | mask) + 1, high, to: &sequences)
                return
            }
            if high & mask != mask {
                append(low, (high & ~mask) - 1, to: &sequences)
                append(high & ~mask, high, to: &sequences)
                return
            }
        }
        sequences.append(zip(encoded(low), encoded(high)).map { $0...$1 })
    }

    private static func encoded(_ scalar: UInt32) -> [UInt8] {
        Unicode.Scalar(scalar).map { Array(UTF8.encode($0) ?? .init()) } ?? []
    }
}
