/// The name of a node in the cluster: unique, chosen by the node itself, kept over reconnects.
public struct NodeID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let rawValue: String

    public init(_ rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }

    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// One sequence of tokens that the workers hold pages for; given out by the coordinator and never used twice.
public struct SequenceID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public static func < (left: SequenceID, right: SequenceID) -> Bool { left.rawValue < right.rawValue }

    public var description: String { "sequence \(rawValue)" }
}

/// One of the pipelines that each hold the whole model. The lowest number that is free is given to a new one.
public struct ReplicaID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: Int

    public init(_ rawValue: Int) {
        precondition(rawValue >= 0, "replicas are counted from 0")
        self.rawValue = rawValue
    }

    public static func < (left: ReplicaID, right: ReplicaID) -> Bool { left.rawValue < right.rawValue }

    public var description: String { "replica \(rawValue)" }
}

/// A client's request as the gateway named it, for logs and answers.
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(_ rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }
}

/// A physical page of the KV cache. The same index means the same positions on every stage.
public struct PageID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt32

    public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    public var description: String { "page \(rawValue)" }
}
