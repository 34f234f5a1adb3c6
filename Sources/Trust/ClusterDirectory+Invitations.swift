internal import Crypto
public import Foundation
internal import Glibc

/// What a join token is good for.
public struct Invitation: Hashable, Sendable, Codable {
    public let role: NodeRole
    /// The node's name, when the one who invites has chosen it.
    public let name: String?
    public let expiry: Date
    /// SHA-256 of the token's secret: whoever reads this file cannot join with it.
    let secretHash: [UInt8]
}

// Tokens that were given out and not used yet.
extension ClusterDirectory {
    /// Tokens that wait at the same time; more are a mistake or an attack.
    private static let maxInvitationCount = 10_000

    /// Makes a join token for one node.
    ///
    /// - Parameters:
    ///   - name: the node's name; nil lets it choose.
    ///   - lifetime: seconds from now.
    /// - Throws: `TrustError`, `nameTaken` among others.
    public func invite(_ role: NodeRole, name: String?, lifetime: TimeInterval) throws(TrustError) -> JoinToken {
        if let name {
            try NodeIdentity.check(name)
            try checkStanding(name)
            guard !isIssued(name) else { throw Self.nameTaken(name) }
        }
        let authority = try authority()
        removeExpiredInvitations()
        guard files(in: invitationsPath).count < Self.maxInvitationCount else {
            throw TrustError(
                .directory, "\(Self.maxInvitationCount) tokens wait to be used in \(invitationsPath): remove some")
        }
        let token = JoinToken(fingerprint: authority.certificate.fingerprint)
        let invitation = Invitation(
            role: role, name: name, expiry: Date() + lifetime, secretHash: Array(SHA256.hash(data: token.secret)))
        guard let data = try? JSONEncoder().encode(invitation) else {
            throw TrustError(.directory, "the invitation cannot be written")
        }
        try PrivateFile.write(
            String(decoding: data, as: UTF8.self), to: invitationPath(token.id), replaces: false)
        return token
    }

    /// Whether any token could be used now: only then do strangers get a hearing.
    public var expectsGuests: Bool { files(in: invitationsPath).contains { $0.hasSuffix(".json") } }

    /// Lets a new node in that shows a token; the token is used up with that, however many show it at once.
    ///
    /// - Parameters:
    ///   - id: the token's number, 8 bytes.
    ///   - name: what the node would like to be called.
    /// - Throws: `TrustError`: `tokenRefused`, `wrongRole`, `nameTaken`, `malformed`, `revoked`.
    public func redeem(
        id: [UInt8], secret: [UInt8], role: NodeRole, name: String, request: CertificateRequest
    ) throws(TrustError) -> CertificateChain {
        let refusal = TrustError(
            .tokenRefused,
            "the join token is not good here: it was used, has expired, or is for another cluster; "
                + "`phalanx cluster invite` makes a new one")
        guard id.count == JoinToken.idByteCount, secret.count == JoinToken.secretByteCount,
            let text = try PrivateFile.read(invitationPath(id)),
            let invitation = try? JSONDecoder().decode(Invitation.self, from: Data(text.utf8)),
            // Compares in constant time.
            SHA256.hash(data: secret) == invitation.secretHash, invitation.expiry > Date()
        else { throw refusal }
        guard role == invitation.role else {
            throw TrustError(
                .wrongRole, "the join token is for a \(invitation.role.rawValue), not for a \(role.rawValue)")
        }
        let name = invitation.name ?? name
        // Mistakes that can be mended do not use the token up.
        try NodeIdentity.check(name)
        try checkStanding(name)
        guard !isIssued(name) else { throw Self.nameTaken(name) }
        // Of all who come this far with the token, the file system lets one remove it.
        guard unsafe unlink(invitationPath(id)) == 0 else { throw refusal }
        return try admit(role, name, for: request)
    }

    /// Forgets tokens that are past their time.
    public func removeExpiredInvitations() {
        for file in files(in: invitationsPath) where file.hasSuffix(".json") {
            let path = "\(invitationsPath)/\(file)"
            guard let data = FileManager.default.contents(atPath: path),
                let invitation = try? JSONDecoder().decode(Invitation.self, from: data), invitation.expiry <= Date()
            else { continue }
            unsafe unlink(path)
        }
    }

    private func invitationPath(_ id: [UInt8]) -> String {
        "\(invitationsPath)/\(CertificateAuthority.hexadecimal(id)).json"
    }
}
