public import Trust

/// Who makes a call, as far as its connection knows.
public enum Caller: Hashable, Sendable {
    /// The connection is not encrypted: it may be anybody.
    case anybody
    /// Encrypted, without a certificate: a new node with a join token, perhaps.
    case guest
    case node(NodeIdentity)

    /// The node that calls, where it has shown who it is.
    public var node: NodeIdentity? { if case .node(let identity) = self { identity } else { nil } }

    /// Whether this caller may use a method of a node that serves it.
    func mayCall(_ method: RPCMethod) -> Bool {
        switch self {
        case .anybody: true
        case .guest: method == Services.enrol
        case .node(let identity): Services.callers[method]?.contains(identity.role) ?? true
        }
    }
}

extension Services {
    /// The roles whose nodes may use a method; every node may use those that are not listed.
    static let callers: [RPCMethod: Set<NodeRole>] = [
        join: [.worker],
        drain: [.coordinator],
        forward: [.worker],
        manifest: [.worker],
        readWeights: [.worker],
        pages: [.worker],
        describe: [.gateway, .coordinator],
        tokenizer: [.gateway, .coordinator],
        status: [.gateway, .coordinator],
        generate: [.gateway, .coordinator],
        authorize: [.gateway, .coordinator],
    ]
}
