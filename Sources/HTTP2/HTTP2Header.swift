/// One header field. Names are lower case, as HTTP/2 wants them.
public struct HTTP2Header: Hashable, Sendable, CustomStringConvertible {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    public var description: String { "\(name): \(value)" }
}

extension [HTTP2Header] {
    /// The value of the first field with this (lower-case) name.
    public func first(_ name: String) -> String? {
        first { $0.name == name }?.value
    }
}
