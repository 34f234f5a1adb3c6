/// What was wrong with shapes, sizes or settings that came from outside.
public struct KernelsError: Error, Sendable, CustomStringConvertible {
    /// What was wrong, where, and what to do.
    public let message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
