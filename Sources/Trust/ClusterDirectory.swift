internal import Foundation
internal import SwiftASN1
internal import X509

/// The folder in which a machine keeps what it needs to be trusted, readable by its owner alone.
///
///     authorities.pem      whom nodes of this machine believe
///     worker/NAME.pem      a node's key and certificates; likewise coordinator/ and gateway/
///     authority/           only where the cluster was made: who holds it says who belongs to the cluster
///       authority.pem        key and certificates of the authority
///       issued/NAME.pem      the latest certificate of each node
///       invitations/ID.json  tokens that were not used yet, hashed
///       revoked/NAME         nodes that are let in no more
public struct ClusterDirectory: Hashable, Sendable {
    public let path: String

    public init(path: String) { self.path = path }

    /// Whether there are any credentials in it.
    public var exists: Bool { FileManager.default.fileExists(atPath: trustPath) }

    static let coordinatorName = "coordinator"

    /// Makes a new cluster: its authority, and the coordinator's own key and certificate.
    ///
    /// - Returns: the cluster's id.
    /// - Throws: `TrustError` (`directory`) when there is a cluster already, or the folder cannot be written.
    public func makeCluster() throws(TrustError) -> String {
        let (isAuthority, trust) = (try hasAuthority, try trust())
        guard !isAuthority, trust == nil else {
            throw TrustError(
                .directory,
                "\(path) holds a cluster's credentials already: choose another --cluster-dir, or move it away first")
        }
        for folder in [path, issuedPath, invitationsPath, revokedPath] { try PrivateFile.makeFolder(folder) }
        let authority = try CertificateAuthority()
        try write(authority, replaces: false)
        try write(TrustBundle([authority.certificate]))
        _ = try issueHere(.coordinator, Self.coordinatorName)
        return authority.cluster
    }

    // MARK: Whom nodes of this machine are and believe

    /// The node of a role that this machine is, or the one of that name.
    ///
    /// Where the authority lies, a node that is missing is made: no token is needed.
    ///
    /// - Returns: nil when there is none.
    /// - Throws: `TrustError` (`directory`) when there are several and no name says which, or files are damaged.
    public func credentials(_ role: NodeRole, name: String? = nil) throws(TrustError) -> NodeCredentials? {
        if let name { try NodeIdentity.check(name) }
        let names = name.map { [$0] } ?? nodeNames(role)
        guard names.count <= 1 else {
            throw TrustError(
                .directory,
                "\(path) has several \(role.rawValue)s (\(names.sorted().joined(separator: ", "))): say which with --name"
            )
        }
        if let name = names.first, let text = try PrivateFile.read(nodePath(role, name)) {
            let (keys, certificates) = try Self.parse(text, nodePath(role, name))
            guard let key = keys.first, let trust = try trust() else {
                throw TrustError(.directory, "\(path) is incomplete: \(trustPath) or a key is missing")
            }
            return try NodeCredentials(key: NodeKey(pem: key), chain: CertificateChain(certificates), trust: trust)
        }
        guard let name, try hasAuthority else { return nil }
        return try issueHere(role, name)
    }

    /// Keeps a node's credentials, in place of earlier ones.
    public func store(_ credentials: NodeCredentials) throws(TrustError) {
        let identity = credentials.identity
        try PrivateFile.makeFolder(path)
        try PrivateFile.makeFolder("\(path)/\(identity.role.rawValue)")
        try write(credentials.trust)
        // Key and certificates are one file: whenever the process dies, they belong together.
        try PrivateFile.write(
            credentials.key.pem + "\n" + Self.pem(credentials.chain.certificates),
            to: nodePath(identity.role, identity.name), replaces: true)
    }

    func trust() throws(TrustError) -> TrustBundle? {
        guard let text = try PrivateFile.read(trustPath) else { return nil }
        return try TrustBundle(Self.parse(text, trustPath).certificates)
    }

    private func write(_ trust: TrustBundle) throws(TrustError) {
        try PrivateFile.write(Self.pem(trust.certificates), to: trustPath, replaces: true)
    }

    private func nodeNames(_ role: NodeRole) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(role.rawValue)")) ?? []
        return files.filter { $0.hasSuffix(".pem") }.map { String($0.dropLast(4)) }
    }

    // MARK: The authority

    /// Whether this machine says who belongs to the cluster.
    public var hasAuthority: Bool {
        get throws(TrustError) { try PrivateFile.read(authorityPath) != nil }
    }

    /// Throws `TrustError` (`directory`) when the authority is not here.
    public func authority() throws(TrustError) -> CertificateAuthority {
        guard let text = try PrivateFile.read(authorityPath) else {
            throw TrustError(
                .directory,
                "\(path) has no certificate authority: run this where `phalanx cluster init` was run, or run that first"
            )
        }
        let (keys, certificates) = try Self.parse(text, authorityPath)
        guard let key = keys.first, let certificate = certificates.first else {
            throw TrustError(.directory, "\(authorityPath) is damaged: restore it from a copy")
        }
        return try CertificateAuthority(
            key: NodeKey(pem: key), certificate: certificate, link: certificates.dropFirst().first)
    }

    /// Begins a rotation: from now on a new authority signs, and both are believed.
    ///
    /// - Throws: `TrustError` (`directory`) while an earlier one is not finished.
    public func beginRotation() throws(TrustError) {
        let successor = try authority().successor()
        guard let trust = try trust(), trust.certificates.count == 1 else {
            throw TrustError(.directory, "a rotation is under way: end it with `phalanx cluster rotate --finish`")
        }
        // In this order: nobody is ever shown a certificate of an authority that is not believed yet.
        try write(TrustBundle([successor.certificate] + trust.certificates))
        try write(successor, replaces: true)
    }

    /// Ends a rotation: the old authority is believed no more.
    ///
    /// - Returns: the nodes that still show a certificate of the old one; when there are any and `force` is not set,
    ///   nothing was changed.
    public func finishRotation(force: Bool) throws(TrustError) -> [String] {
        guard let trust = try trust(), trust.certificates.count > 1 else {
            throw TrustError(.directory, "no rotation is under way: begin one with `phalanx cluster rotate`")
        }
        let current = try TrustBundle([trust.certificates[0]])
        let revoked = revokedNames()
        let behind = try issuedNodes()
            .filter { !$0.isIssued(by: current) && !revoked.contains($0.identity.name) && $0.notAfter > Date() }
            .map(\.identity.name)
        if behind.isEmpty || force { try write(current) }
        return behind
    }

    private func write(_ authority: CertificateAuthority, replaces: Bool) throws(TrustError) {
        let certificates = [authority.certificate] + (authority.link.map { [$0] } ?? [])
        try PrivateFile.write(
            authority.key.pem + "\n" + Self.pem(certificates), to: authorityPath, replaces: replaces)
    }

    // MARK: Names and contents of files

    var trustPath: String { "\(path)/authorities.pem" }
    var authorityPath: String { "\(path)/authority/authority.pem" }
    var issuedPath: String { "\(path)/authority/issued" }
    var invitationsPath: String { "\(path)/authority/invitations" }
    var revokedPath: String { "\(path)/authority/revoked" }

    private func nodePath(_ role: NodeRole, _ name: String) -> String { "\(path)/\(role.rawValue)/\(name).pem" }

    static func pem(_ certificates: [Certificate]) -> String {
        certificates.map { PEMDocument(type: "CERTIFICATE", derBytes: $0.der).pemString + "\n" }.joined()
    }

    static func parse(_ text: String, _ path: String) throws(TrustError) -> (
        keys: [String], certificates: [Certificate]
    ) {
        do {
            let documents = try PEMDocument.parseMultiple(pemString: text)
            return (
                documents.filter { $0.discriminator == "PRIVATE KEY" }.map(\.pemString),
                try documents.filter { $0.discriminator == "CERTIFICATE" }.map { try Certificate(pemDocument: $0) }
            )
        } catch {
            throw TrustError(.directory, "\(path) is damaged: \(error)")
        }
    }
}
