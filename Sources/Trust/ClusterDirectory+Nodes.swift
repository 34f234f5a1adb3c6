internal import Foundation
internal import Glibc
internal import X509

// What the authority knows of the nodes that it let in.
extension ClusterDirectory {
    /// The latest certificate of every node that was let in, by name.
    public func issuedNodes() throws(TrustError) -> [CertificateChain] {
        var nodes: [CertificateChain] = []
        for file in files(in: issuedPath) where file.hasSuffix(".pem") {
            guard let text = try PrivateFile.read("\(issuedPath)/\(file)") else { continue }
            nodes.append(try CertificateChain(Self.parse(text, file).certificates))
        }
        return nodes
    }

    /// Renews a node's certificate.
    ///
    /// - Throws: `TrustError` (`revoked`).
    public func renew(_ identity: NodeIdentity, for request: CertificateRequest) throws(TrustError) -> CertificateChain
    {
        try checkStanding(identity.name)
        let chain = try authority().issue(identity.role, identity.name, for: request)
        try record(chain, replaces: true)
        return chain
    }

    /// Lets a new node in.
    ///
    /// - Throws: `TrustError` (`nameTaken`, `revoked`).
    func admit(
        _ role: NodeRole, _ name: String, for request: CertificateRequest
    ) throws(TrustError) -> CertificateChain {
        try checkStanding(name)
        let chain = try authority().issue(role, name, for: request)
        do throws(TrustError) {
            // Refuses to replace a file: of two nodes that want the name at once, one gets it.
            try record(chain, replaces: false)
        } catch {
            throw isIssued(name) ? Self.nameTaken(name) : error
        }
        return chain
    }

    func isIssued(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(issuedPath)/\(name).pem") }

    static func nameTaken(_ name: String) -> TrustError {
        TrustError(
            .nameTaken,
            "the cluster has a node \(name) already: choose another --name; if that node lost its credentials, revoke it"
        )
    }

    /// Makes a node's credentials on the machine of the authority.
    func issueHere(_ role: NodeRole, _ name: String) throws(TrustError) -> NodeCredentials {
        let key = NodeKey()
        let chain = try admit(role, name, for: CertificateRequest(der: key.certificateRequest()))
        guard let trust = try trust() else { throw TrustError(.directory, "\(trustPath) is missing") }
        let credentials = try NodeCredentials(key: key, chain: chain, trust: trust)
        try store(credentials)
        return credentials
    }

    private func record(_ chain: CertificateChain, replaces: Bool) throws(TrustError) {
        try PrivateFile.write(
            Self.pem(Array(chain.certificates.prefix(1))), to: "\(issuedPath)/\(chain.identity.name).pem",
            replaces: replaces)
    }

    // MARK: Revocation

    /// Lets a node in no more, whatever certificate it shows. Its name stays taken.
    ///
    /// - Throws: `TrustError` (`directory`) when there is no such node.
    public func revoke(_ name: String) throws(TrustError) {
        _ = try authority()
        guard name != Self.coordinatorName else {
            throw TrustError(.directory, "the coordinator cannot be revoked: make a new cluster instead")
        }
        guard (try? NodeIdentity.check(name)) != nil, isIssued(name) else {
            throw TrustError(
                .directory, "the cluster has no node \(name.prefix(80)): `phalanx cluster nodes` lists them")
        }
        try PrivateFile.write("", to: "\(revokedPath)/\(name)", replaces: true)
    }

    /// The names of all revoked nodes.
    public func revokedNames() -> Set<String> {
        Set(files(in: revokedPath).filter { (try? NodeIdentity.check($0)) != nil && !$0.hasSuffix(".new") })
    }

    func checkStanding(_ name: String) throws(TrustError) {
        guard !revokedNames().contains(name) else {
            throw TrustError(.revoked, "the node \(name) was revoked: it must be invited again under another name")
        }
    }

    func files(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
}
