/// What a machine can do at most with some threads, measured.
public struct MachineLimits: Sendable, Hashable, Encodable {
    /// Bytes read from main memory, in 10^9 per second.
    public var readGigabytesPerSecond: Double
    /// The same of what the measurement reads again and again: more, if that fits into a cache.
    public var repeatedReadGigabytesPerSecond: Double
    /// Multiply-adds of 8-bit integers into 32-bit sums, in 10^9 per second.
    public var int8GigamacsPerSecond: Double
    /// Fused multiply-adds of single precision, in 10^9 per second.
    public var float32GigamacsPerSecond: Double

    private enum CodingKeys: String, CodingKey {
        case readGigabytesPerSecond = "read_gigabytes_per_second"
        case repeatedReadGigabytesPerSecond = "repeated_read_gigabytes_per_second"
        case int8GigamacsPerSecond = "int8_gigamacs_per_second"
        case float32GigamacsPerSecond = "float32_gigamacs_per_second"
    }

    public init(
        readGigabytesPerSecond: Double, repeatedReadGigabytesPerSecond: Double, int8GigamacsPerSecond: Double,
        float32GigamacsPerSecond: Double
    ) {
        self.readGigabytesPerSecond = readGigabytesPerSecond
        self.repeatedReadGigabytesPerSecond = repeatedReadGigabytesPerSecond
        self.int8GigamacsPerSecond = int8GigamacsPerSecond
        self.float32GigamacsPerSecond = float32GigamacsPerSecond
    }

    /// The larger of each: whatever slows a probe down, nothing makes it faster than the machine.
    public func larger(_ other: MachineLimits) -> MachineLimits {
        MachineLimits(
            readGigabytesPerSecond: max(readGigabytesPerSecond, other.readGigabytesPerSecond),
            repeatedReadGigabytesPerSecond: max(
                repeatedReadGigabytesPerSecond, other.repeatedReadGigabytesPerSecond),
            int8GigamacsPerSecond: max(int8GigamacsPerSecond, other.int8GigamacsPerSecond),
            float32GigamacsPerSecond: max(float32GigamacsPerSecond, other.float32GigamacsPerSecond))
    }

    /// The part of the read bandwidth that so many bytes in so many seconds are, of those that are read repeatedly.
    public func fractionOfBandwidth(byteCount: Double, seconds: Double) -> Double {
        byteCount / seconds / (repeatedReadGigabytesPerSecond * 1e9)
    }

    /// The part of the int8 peak that so many multiply-adds in so many seconds are.
    public func fractionOfInt8Peak(multiplyAddCount: Double, seconds: Double) -> Double {
        multiplyAddCount / seconds / (int8GigamacsPerSecond * 1e9)
    }
}
