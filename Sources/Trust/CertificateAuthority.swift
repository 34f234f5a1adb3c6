internal import Crypto
public import Foundation
internal import SwiftASN1
internal import X509

/// A cluster's certificate authority: its key says who belongs to the cluster.
///
/// A rotation makes a new authority, whose certificate the old one signs as well: nodes that know only the old one
/// believe certificates of the new one at once, through that link.
public struct CertificateAuthority: Sendable {
    /// How long a node's certificate is good for.
    public static let nodeLifetime: TimeInterval = 30 * 86_400
    static let authorityLifetime: TimeInterval = 10 * 365 * 86_400
    /// Clocks of different machines may differ by so much.
    static let clockTolerance: TimeInterval = 300

    let key: NodeKey
    let certificate: Certificate
    /// The same authority as its predecessor signed it.
    let link: Certificate?
    public let cluster: String

    init(key: NodeKey, certificate: Certificate, link: Certificate?) throws(TrustError) {
        guard key.belongs(to: certificate) else {
            throw TrustError(.malformed, "the authority's key does not belong to its certificate")
        }
        self.key = key
        self.certificate = certificate
        self.link = link
        cluster = try Self.cluster(of: certificate)
    }

    /// A new cluster's authority.
    public init() throws(TrustError) {
        var generator = SystemRandomNumberGenerator()
        try self.init(cluster: Self.hexadecimal((0..<8).map { _ in UInt8.random(in: 0...255, using: &generator) }))
    }

    /// An authority that signed itself, for a cluster of that id.
    init(cluster: String) throws(TrustError) {
        let key = NodeKey()
        let subject = try Self.subject(cluster)
        try self.init(
            key: key,
            certificate: Self.sign(
                subject, key: Certificate.PublicKey(key.key.publicKey), uri: NodeIdentity.scheme + cluster,
                lifetime: Self.authorityLifetime, issuer: subject, with: key),
            link: nil)
    }

    /// The authority that takes over from this one.
    public func successor() throws(TrustError) -> CertificateAuthority {
        let key = NodeKey()
        let subject = try Self.subject(cluster)
        let publicKey = Certificate.PublicKey(key.key.publicKey)
        let uri = NodeIdentity.scheme + cluster
        return try CertificateAuthority(
            key: key,
            certificate: Self.sign(
                subject, key: publicKey, uri: uri, lifetime: Self.authorityLifetime, issuer: subject, with: key),
            link: Self.sign(
                subject, key: publicKey, uri: uri, lifetime: Self.authorityLifetime, issuer: certificate.subject,
                with: self.key))
    }

    /// A certificate for a node, with the chain above it.
    ///
    /// - Parameters:
    ///   - lifetime: seconds from now.
    ///   - now: when it begins, apart from what clocks may differ by.
    public func issue(
        _ role: NodeRole, _ name: String, for request: CertificateRequest,
        lifetime: TimeInterval = CertificateAuthority.nodeLifetime, now: Date = Date()
    ) throws(TrustError) -> CertificateChain {
        let identity = try NodeIdentity(cluster: cluster, role: role, name: name)
        let leaf = try Self.sign(
            Self.distinguishedName(name), key: request.publicKey, uri: identity.uri, isAuthority: false,
            lifetime: lifetime, issuer: certificate.subject, with: key, now: now)
        return try CertificateChain([leaf, certificate] + (link.map { [$0] } ?? []))
    }

    /// The cluster that an authority's certificate is for.
    static func cluster(of certificate: Certificate) throws(TrustError) -> String {
        guard let names = try? certificate.extensions.subjectAlternativeNames, names.count == 1,
            case .uniformResourceIdentifier(let uri)? = names.first, uri.hasPrefix(NodeIdentity.scheme),
            NodeIdentity.isClusterID(uri.dropFirst(NodeIdentity.scheme.count)),
            case .isCertificateAuthority? = try? certificate.extensions.basicConstraints
        else { throw TrustError(.malformed, "this is not the certificate of a Phalanx cluster's authority") }
        return String(uri.dropFirst(NodeIdentity.scheme.count))
    }

    // MARK: Signing

    /// Every authority has a subject of its own, so that two of one cluster are never mixed up.
    private static func subject(_ cluster: String) throws(TrustError) -> DistinguishedName {
        var generator = SystemRandomNumberGenerator()
        let serial = hexadecimal((0..<4).map { _ in UInt8.random(in: 0...255, using: &generator) })
        return try distinguishedName("Phalanx cluster \(cluster) authority \(serial)")
    }

    static func distinguishedName(_ text: String) throws(TrustError) -> DistinguishedName {
        do {
            return try DistinguishedName { CommonName(text) }
        } catch {
            throw TrustError(.malformed, "\(text) cannot be a certificate's subject: \(error)")
        }
    }

    static func sign(
        _ subject: DistinguishedName, key: Certificate.PublicKey, uri: String, isAuthority: Bool = true,
        lifetime: TimeInterval, issuer: DistinguishedName, with issuerKey: NodeKey, now: Date = Date()
    ) throws(TrustError) -> Certificate {
        let authorityKeyID = SubjectKeyIdentifier(hash: Certificate.PublicKey(issuerKey.key.publicKey)).keyIdentifier
        do {
            let extensions = try Certificate.Extensions {
                if isAuthority {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                    Critical(KeyUsage(keyCertSign: true))
                } else {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                }
                SubjectAlternativeNames([.uniformResourceIdentifier(uri)])
                SubjectKeyIdentifier(hash: key)
                AuthorityKeyIdentifier(keyIdentifier: authorityKeyID)
            }
            return try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key,
                notValidBefore: now - clockTolerance, notValidAfter: now + lifetime, issuer: issuer, subject: subject,
                signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
                issuerPrivateKey: Certificate.PrivateKey(issuerKey.key))
        } catch {
            throw TrustError(.malformed, "the certificate could not be signed: \(error)")
        }
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
