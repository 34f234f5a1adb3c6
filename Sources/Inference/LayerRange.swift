/// A contiguous, non-empty range of decoder layers: `first` up to, but not including, `end`.
public struct LayerRange: Hashable, Sendable, Codable, CustomStringConvertible {
    public let first: Int
    public let end: Int

    /// Makes the range, or returns nil when it is empty or starts below zero.
    public init?(first: Int, end: Int) {
        guard first >= 0, end > first else { return nil }
        self.first = first
        self.end = end
    }

    public var count: Int { end - first }

    public func contains(_ layer: Int) -> Bool { layer >= first && layer < end }

    /// "0-15": both ends included, as people count.
    public var description: String { count == 1 ? "\(first)" : "\(first)-\(end - 1)" }
}
