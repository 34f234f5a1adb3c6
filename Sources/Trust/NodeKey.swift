internal import Crypto
internal import SwiftASN1
internal import X509

/// A node's private key (P-256). It never leaves the node; what leaves is a request signed with it.
public struct NodeKey: Sendable {
    let key: P256.Signing.PrivateKey

    public init() { key = P256.Signing.PrivateKey() }

    init(pem: String) throws(TrustError) {
        do {
            key = try P256.Signing.PrivateKey(pemRepresentation: pem)
        } catch {
            throw TrustError(.malformed, "is not a P-256 private key in PEM")
        }
    }

    var pem: String { key.pemRepresentation }

    /// PKCS#8, for the TLS library.
    public var derBytes: [UInt8] { Array(key.derRepresentation) }

    func belongs(to certificate: Certificate) -> Bool { Certificate.PublicKey(key.publicKey) == certificate.publicKey }

    /// A PKCS#10 request, DER: proof that whoever asks holds the key. Who it is to be, the authority decides.
    public func certificateRequest() throws(TrustError) -> [UInt8] {
        do {
            let request = try CertificateSigningRequest(
                version: .v1, subject: DistinguishedName(), privateKey: Certificate.PrivateKey(key),
                attributes: CertificateSigningRequest.Attributes(), signatureAlgorithm: .ecdsaWithSHA256)
            var serializer = DER.Serializer()
            try serializer.serialize(request)
            return serializer.serializedBytes
        } catch {
            throw TrustError(.malformed, "the certificate request could not be made: \(error)")
        }
    }
}

/// The public key of a request whose signature was checked.
public struct CertificateRequest: Sendable {
    /// The most bytes of a request; one for a P-256 key has about 200.
    public static let maxByteCount = 4096

    let publicKey: Certificate.PublicKey

    /// Throws `TrustError` (`malformed`) for anything but a request for a P-256 key, signed with that key.
    public init(der bytes: [UInt8]) throws(TrustError) {
        guard bytes.count <= Self.maxByteCount,
            let request = try? CertificateSigningRequest(derEncoded: bytes),
            P256.Signing.PublicKey(request.publicKey) != nil,
            request.publicKey.isValidSignature(request.signature, for: request)
        else {
            throw TrustError(.malformed, "this is not a certificate request for a P-256 key, signed with it")
        }
        publicKey = request.publicKey
    }
}
