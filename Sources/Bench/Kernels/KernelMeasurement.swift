/// The best time of one operation, and what it did in that time.
public struct KernelMeasurement: Sendable, Hashable {
    /// What no kernel can be faster than.
    public enum Limit: String, Sendable, Encodable {
        /// Reading what is read, from memory or the cache that holds it.
        case reading = "reading"
        /// Multiplying 8-bit integers.
        case int8 = "int8 peak"
        /// Multiplying floats.
        case float32 = "float peak"
    }

    /// "matrix product", "attention at 4096".
    public let operation: String
    /// The weights' format, or how something is stored.
    public let format: String
    public let rowCount: Int
    public let isa: String
    /// The fastest of several rounds.
    public let seconds: Double
    /// Multiply-adds; 0 where other work dominates.
    public let multiplyAddCount: Double
    /// Bytes that are read, and in operations on rows written, too.
    public let byteCount: Double
    /// The limit that takes longest, and the part of it that was reached.
    public let limit: Limit
    public let fraction: Double

    public var gigamacsPerSecond: Double { multiplyAddCount / seconds / 1e9 }
    public var gigabytesPerSecond: Double { byteCount / seconds / 1e9 }

    /// - Parameters:
    ///   - bytesPerSecond: the bandwidth of memory that holds what is read.
    ///   - multiplyAddsPerSecond: the peak of the kind of number; ignored when nothing is multiplied.
    init(
        operation: String, format: String, rowCount: Int, isa: String, seconds: Double, multiplyAddCount: Double,
        byteCount: Double, bytesPerSecond: Double, peak: (limit: Limit, multiplyAddsPerSecond: Double)
    ) {
        self.operation = operation
        self.format = format
        self.rowCount = rowCount
        self.isa = isa
        self.seconds = seconds
        self.multiplyAddCount = multiplyAddCount
        self.byteCount = byteCount
        let reading = byteCount / bytesPerSecond
        let multiplying = multiplyAddCount / peak.multiplyAddsPerSecond
        limit = reading >= multiplying ? .reading : peak.limit
        fraction = max(reading, multiplying) / seconds
    }
}

extension KernelMeasurement: Encodable {
    private enum Keys: String, CodingKey {
        case operation, format, rows, isa, seconds, limit
        case gigamacsPerSecond = "gigamacs_per_second"
        case gigabytesPerSecond = "gigabytes_per_second"
        case fraction = "fraction_of_limit"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(operation, forKey: .operation)
        try container.encode(format, forKey: .format)
        try container.encode(rowCount, forKey: .rows)
        try container.encode(isa, forKey: .isa)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(gigamacsPerSecond, forKey: .gigamacsPerSecond)
        try container.encode(gigabytesPerSecond, forKey: .gigabytesPerSecond)
        try container.encode(limit, forKey: .limit)
        try container.encode(fraction, forKey: .fraction)
    }
}
