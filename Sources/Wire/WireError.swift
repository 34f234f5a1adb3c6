/// A message that cannot be believed: which one, where, and why.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The message and field, such as "StageAssignment.layers".
    public let field: String
    public let problem: String

    public init(_ field: String, _ problem: String) {
        self.field = field
        self.problem = problem
    }

    public var description: String { "\(field): \(problem)" }
}

/// A value that travels as one message.
public protocol WireMessage: Sendable {
    /// The message's bytes.
    func wireBytes() -> [UInt8]

    /// Reads what a peer sent. Throws `WireError` for anything that is not such a message, whole and within the limits.
    init(wireBytes bytes: [UInt8]) throws(WireError)
}
