internal import Crypto
public import Foundation
internal import SwiftASN1
internal import X509

/// A node's certificate, followed by those of the authorities above it, up to one that signed itself.
public struct CertificateChain: Hashable, Sendable {
    /// More than a chain ever has: node, authority, and the authority as its predecessor signed it.
    static let maxCount = 8
    /// One certificate here has about 500 bytes.
    static let maxCertificateByteCount = 8192

    let certificates: [Certificate]
    public let identity: NodeIdentity

    init(_ certificates: [Certificate]) throws(TrustError) {
        guard (1...Self.maxCount).contains(certificates.count) else {
            throw TrustError(
                .malformed, "a chain of \(certificates.count) certificates; 1 to \(Self.maxCount) are allowed")
        }
        self.certificates = certificates
        identity = try Self.identity(of: certificates[0])
    }

    /// Reads a chain as it travels, the node's certificate first. Nothing is verified yet.
    ///
    /// - Throws: `TrustError` (`malformed`).
    public init(der: [[UInt8]]) throws(TrustError) { try self.init(Self.certificates(der: der)) }

    public var der: [[UInt8]] { certificates.map(\.der) }

    public var notBefore: Date { certificates[0].notValidBefore }
    public var notAfter: Date { certificates[0].notValidAfter }

    /// When a new one should be asked for: two thirds of the lifetime.
    public var renewal: Date { notBefore + notAfter.timeIntervalSince(notBefore) * 2 / 3 }

    /// Whether the first of a bundle's authorities issued it.
    public func isIssued(by trust: TrustBundle) -> Bool {
        guard let newest = trust.certificates.first else { return false }
        return newest.subject == certificates[0].issuer
            && newest.publicKey.isValidSignature(certificates[0].signature, for: certificates[0])
    }

    static func certificates(der: [[UInt8]]) throws(TrustError) -> [Certificate] {
        guard (1...maxCount).contains(der.count), der.allSatisfy({ $0.count <= maxCertificateByteCount }) else {
            throw TrustError(
                .malformed, "a chain is 1 to \(maxCount) certificates of at most \(maxCertificateByteCount) bytes")
        }
        do {
            return try der.map { try Certificate(derEncoded: $0) }
        } catch {
            throw TrustError(.malformed, "what was shown is not a certificate")
        }
    }

    /// Who a certificate says that its holder is.
    static func identity(of certificate: Certificate) throws(TrustError) -> NodeIdentity {
        let names = (try? certificate.extensions.subjectAlternativeNames) ?? SubjectAlternativeNames()
        let uris = names.compactMap { name in
            if case .uniformResourceIdentifier(let uri) = name { uri } else { nil }
        }
        guard names.count == 1, let uri = uris.first, let identity = NodeIdentity(uri: uri) else {
            throw TrustError(.stranger, "the certificate names no node of a Phalanx cluster")
        }
        return identity
    }
}

/// The authorities whose word a node takes: the current one first, then, during a rotation, the one before.
public struct TrustBundle: Hashable, Sendable {
    let certificates: [Certificate]
    /// The cluster's id, the same in all of them.
    public let cluster: String

    init(_ certificates: [Certificate]) throws(TrustError) {
        guard let first = certificates.first, certificates.count <= CertificateChain.maxCount else {
            throw TrustError(.malformed, "a cluster has 1 to \(CertificateChain.maxCount) authorities")
        }
        cluster = try CertificateAuthority.cluster(of: first)
        for other in certificates.dropFirst() where try CertificateAuthority.cluster(of: other) != cluster {
            throw TrustError(.malformed, "the authorities belong to different clusters")
        }
        self.certificates = certificates
    }

    public init(der: [[UInt8]]) throws(TrustError) { try self.init(CertificateChain.certificates(der: der)) }

    public var der: [[UInt8]] { certificates.map(\.der) }

    /// Finds the authority with a fingerprint among the certificates that a coordinator showed at first contact.
    ///
    /// - Throws: `TrustError` (`stranger`) when none of them has it.
    public init(fingerprint: [UInt8], in shown: [[UInt8]]) throws(TrustError) {
        guard
            let authority = try CertificateChain.certificates(der: shown).first(where: { $0.fingerprint == fingerprint }
            )
        else {
            throw TrustError(
                .stranger,
                "it is not the coordinator that the join token is for: check the address, or take a token of that cluster"
            )
        }
        try self.init([authority])
    }

    /// SHA-256 of the current authority's certificate, for join tokens.
    public var fingerprint: [UInt8] { certificates[0].fingerprint }

    /// Says whose chain it is, when one of the authorities vouches for it now.
    ///
    /// - Throws: `TrustError`: `malformed`, `expired`, or `stranger`.
    public func verify(_ shown: [[UInt8]]) async throws(TrustError) -> NodeIdentity {
        let chain = try CertificateChain(der: shown)
        let leaf = chain.certificates[0]
        let now = Date()
        guard now <= leaf.notValidAfter else {
            throw TrustError(.expired, "the certificate of \(chain.identity) expired at \(leaf.notValidAfter)")
        }
        var verifier = Verifier(rootCertificates: CertificateStore(certificates)) { RFC5280Policy() }
        let result = await verifier.validate(
            leaf: leaf, intermediates: CertificateStore(chain.certificates.dropFirst()))
        guard case .validCertificate(let validated) = result, validated.count > 1 else {
            throw TrustError(
                .stranger, "no authority of this cluster vouches now for the certificate of \(chain.identity)")
        }
        guard chain.identity.cluster == cluster else {
            throw TrustError(.stranger, "\(chain.identity) belongs to the cluster \(chain.identity.cluster)")
        }
        return chain.identity
    }
}

extension Certificate {
    var der: [UInt8] {
        var serializer = DER.Serializer()
        do {
            try serializer.serialize(self)
        } catch {
            preconditionFailure("a certificate that was read or made cannot be written: \(error)")
        }
        return serializer.serializedBytes
    }

    var fingerprint: [UInt8] { Array(SHA256.hash(data: der)) }
}
