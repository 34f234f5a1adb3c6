/// What a node needs to speak with others: its key, the certificate for it, and whom it believes.
public struct NodeCredentials: Sendable {
    public let key: NodeKey
    public let chain: CertificateChain
    public let trust: TrustBundle

    /// Throws `TrustError` (`malformed`) when they do not belong together.
    public init(key: NodeKey, chain: CertificateChain, trust: TrustBundle) throws(TrustError) {
        guard key.belongs(to: chain.certificates[0]), chain.identity.cluster == trust.cluster else {
            throw TrustError(.malformed, "the certificate of \(chain.identity) does not belong to this key and cluster")
        }
        self.key = key
        self.chain = chain
        self.trust = trust
    }

    public var identity: NodeIdentity { chain.identity }
}
