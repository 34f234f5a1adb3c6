/// What a node may do.
public enum NodeRole: String, Hashable, Sendable, CaseIterable, Codable {
    case coordinator
    case worker
    case gateway
}

/// Who a node is, as its certificate says: the URI `phalanx://CLUSTER/ROLE/NAME` among the subject's other names.
///
/// Host names and addresses do not matter: a node is the same node wherever it runs.
public struct NodeIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The cluster's id: 16 hexadecimal digits, drawn by `cluster init`.
    public let cluster: String
    public let role: NodeRole
    /// Unique in the cluster, whatever the role.
    public let name: String

    /// Throws `TrustError` (`malformed`) when the name cannot be one.
    public init(cluster: String, role: NodeRole, name: String) throws(TrustError) {
        try Self.check(name)
        self.cluster = cluster
        self.role = role
        self.name = name
    }

    /// Nil when the text is not such a URI.
    public init?(uri: String) {
        guard uri.hasPrefix(Self.scheme) else { return nil }
        let parts = uri.dropFirst(Self.scheme.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, Self.isClusterID(parts[0]), let role = NodeRole(rawValue: String(parts[1])),
            (try? Self.check(String(parts[2]))) != nil
        else { return nil }
        cluster = String(parts[0])
        self.role = role
        name = String(parts[2])
    }

    public var uri: String { "\(Self.scheme)\(cluster)/\(role.rawValue)/\(name)" }

    public var description: String { "\(role.rawValue) \(name)" }

    static let scheme = "phalanx://"

    static func isClusterID(_ text: Substring) -> Bool {
        text.utf8.count == 16
            && text.utf8.allSatisfy { ("0"..."9").contains(Character(UnicodeScalar($0))) || (97...102).contains($0) }
    }

    /// Names are also file names: letters, digits, and `.`, `_`, `-` within.
    public static func check(_ name: String) throws(TrustError) {
        let bytes = Array(name.utf8)
        let isPlain = bytes.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains(byte)
        }
        guard (1...63).contains(bytes.count), isPlain, bytes[0] != UInt8(ascii: "."), bytes[0] != UInt8(ascii: "-")
        else {
            throw TrustError(
                .malformed,
                "\"\(name.prefix(80))\" cannot be a node's name: use 1 to 63 letters, digits, '.', '_' and '-', "
                    + "beginning with a letter or digit")
        }
    }
}

/// Whom a client means to reach; held against the certificate that the other side shows.
public struct ExpectedNode: Hashable, Sendable {
    let role: NodeRole?
    let name: String?

    /// Any node of the cluster.
    public static let any = ExpectedNode(role: nil, name: nil)
    public static let coordinator = ExpectedNode(role: .coordinator, name: nil)
    public static func worker(_ name: String) -> ExpectedNode { ExpectedNode(role: .worker, name: name) }

    /// Throws `TrustError` (`wrongRole`) when it is another node.
    public func check(_ identity: NodeIdentity) throws(TrustError) {
        guard role == nil || role == identity.role, name == nil || name == identity.name else {
            let expected = [role?.rawValue, name].compactMap(\.self).joined(separator: " ")
            throw TrustError(.wrongRole, "it is \(identity), but \(expected) was expected: check the address")
        }
    }
}
