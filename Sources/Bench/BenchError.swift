/// Why something cannot be measured.
public struct BenchError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was wrong, and what to do.
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
