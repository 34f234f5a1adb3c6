internal import Crypto
internal import Foundation

/// What lets one new node in, once: an invitation's number and secret, and the fingerprint of the cluster's authority,
/// by which the new node knows the coordinator at first contact.
public struct JoinToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    static let idByteCount = 8
    static let secretByteCount = 32
    private static let prefix = "phalanx1."

    /// Names the invitation; not secret.
    public let id: [UInt8]
    public let secret: [UInt8]
    /// SHA-256 of the authority's certificate.
    public let fingerprint: [UInt8]

    /// A fresh token for the cluster of an authority.
    init(fingerprint: [UInt8]) {
        var generator = SystemRandomNumberGenerator()
        id = (0..<Self.idByteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
        secret = (0..<Self.secretByteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
        self.fingerprint = fingerprint
    }

    /// Reads a token as `cluster invite` printed it; surrounding blanks do not matter.
    public init(_ text: String) throws(TrustError) {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        let encoded = String(trimmed.dropFirst(Self.prefix.count))
            .replacing("-", with: "+").replacing("_", with: "/")
        let byteCount = Self.idByteCount + Self.secretByteCount + SHA256.byteCount
        guard trimmed.hasPrefix(Self.prefix), trimmed.utf8.count < 200,
            let bytes = Data(base64Encoded: encoded), bytes.count == byteCount
        else {
            throw TrustError(
                .malformed,
                "this is no join token: it begins with \(Self.prefix), and `phalanx cluster invite` prints it whole")
        }
        id = Array(bytes.prefix(Self.idByteCount))
        secret = Array(bytes.dropFirst(Self.idByteCount).prefix(Self.secretByteCount))
        fingerprint = Array(bytes.suffix(SHA256.byteCount))
    }

    /// The whole token, secret and all: for the one who invites, never for a log. 72 bytes need no padding.
    public var text: String {
        Self.prefix
            + Data(id + secret + fingerprint).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_")
    }

    /// Without the secret, so that it does no harm in a log.
    public var description: String { "join token \(CertificateAuthority.hexadecimal(id))" }
    public var debugDescription: String { description }
}
