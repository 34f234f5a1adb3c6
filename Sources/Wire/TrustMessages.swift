import CWire

/// A new node asks to be let in.
public struct EnrolRequest: Hashable, Sendable, WireMessage {
    /// The join token's number and secret.
    public let invitation: [UInt8]
    public let secret: [UInt8]
    public let role: String
    public let name: String
    /// PKCS#10, DER.
    public let certificateRequest: [UInt8]

    public init(invitation: [UInt8], secret: [UInt8], role: String, name: String, certificateRequest: [UInt8]) {
        self.invitation = invitation
        self.secret = secret
        self.role = role
        self.name = name
        self.certificateRequest = certificateRequest
    }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__enrol_request__init)
            unsafe message.pointee.invitation = unsafe arena.bytes(invitation)
            unsafe message.pointee.secret = unsafe arena.bytes(secret)
            unsafe message.pointee.role = unsafe arena.text(role, limit: WireLimits.nameByteCount)
            unsafe message.pointee.name = unsafe arena.text(name, limit: WireLimits.nameByteCount)
            unsafe message.pointee.certificate_request = unsafe arena.bytes(certificateRequest)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "EnrolRequest", phalanx__v1__enrol_request__unpack) {
            message throws(WireError) in
            EnrolRequest(
                invitation: try unsafe WireReader.bytes(message.pointee.invitation, "EnrolRequest.invitation"),
                secret: try unsafe WireReader.bytes(message.pointee.secret, "EnrolRequest.secret"),
                role: try unsafe WireReader.string(message.pointee.role, "EnrolRequest.role"),
                name: try unsafe WireReader.string(message.pointee.name, "EnrolRequest.name"),
                certificateRequest: try unsafe WireReader.bytes(
                    message.pointee.certificate_request, "EnrolRequest.certificate_request"))
        }
    }
}

/// A node asks for a certificate in place of the one that it shows.
public struct RenewRequest: Hashable, Sendable, WireMessage {
    /// PKCS#10, DER.
    public let certificateRequest: [UInt8]

    public init(certificateRequest: [UInt8]) { self.certificateRequest = certificateRequest }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__renew_request__init)
            unsafe message.pointee.certificate_request = unsafe arena.bytes(certificateRequest)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "RenewRequest", phalanx__v1__renew_request__unpack) {
            message throws(WireError) in
            RenewRequest(
                certificateRequest: try unsafe WireReader.bytes(
                    message.pointee.certificate_request, "RenewRequest.certificate_request"))
        }
    }
}

/// The answer to both: a node's certificate with those above it, and the authorities to believe. DER.
public struct CertificatesMessage: Hashable, Sendable, WireMessage {
    public let chain: [[UInt8]]
    public let authorities: [[UInt8]]

    public init(chain: [[UInt8]], authorities: [[UInt8]]) {
        self.chain = chain
        self.authorities = authorities
    }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__certificates__init)
            unsafe message.pointee.n_chain = chain.count
            unsafe message.pointee.chain = unsafe arena.certificates(chain)
            unsafe message.pointee.n_authorities = authorities.count
            unsafe message.pointee.authorities = unsafe arena.certificates(authorities)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "Certificates", phalanx__v1__certificates__unpack) {
            message throws(WireError) in
            CertificatesMessage(
                chain: try unsafe WireReader.certificates(
                    message.pointee.chain, message.pointee.n_chain, "Certificates.chain"),
                authorities: try unsafe WireReader.certificates(
                    message.pointee.authorities, message.pointee.n_authorities, "Certificates.authorities"))
        }
    }
}

/// Whom to believe from now on.
public struct TrustUpdate: Hashable, Sendable, WireMessage {
    /// DER, the current one first.
    public let authorities: [[UInt8]]
    /// Names of nodes that are let in no more.
    public let revoked: [String]

    public init(authorities: [[UInt8]], revoked: [String]) {
        self.authorities = authorities
        self.revoked = revoked
    }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__trust_update__init)
            unsafe message.pointee.n_authorities = authorities.count
            unsafe message.pointee.authorities = unsafe arena.certificates(authorities)
            let names = unsafe revoked.map { unsafe Optional(arena.text($0, limit: WireLimits.nameByteCount)) }
            unsafe message.pointee.n_revoked = revoked.count
            unsafe message.pointee.revoked = unsafe arena.array(names)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "TrustUpdate", phalanx__v1__trust_update__unpack) {
            message throws(WireError) in
            let names = unsafe try WireReader.array(
                message.pointee.revoked, message.pointee.n_revoked, limit: WireLimits.workerCount,
                "TrustUpdate.revoked")
            var revoked: [String] = []
            for index in unsafe names.indices {
                revoked.append(try unsafe WireReader.string(names[index], "TrustUpdate.revoked"))
            }
            return TrustUpdate(
                authorities: try unsafe WireReader.certificates(
                    message.pointee.authorities, message.pointee.n_authorities, "TrustUpdate.authorities"),
                revoked: revoked)
        }
    }
}

extension WireArena {
    func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
        unsafe ProtobufCBinaryData(len: bytes.count, data: array(bytes))
    }

    fileprivate func certificates(
        _ certificates: [[UInt8]]
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Phalanx__V1__Certificate>?>? {
        unsafe messages(certificates) { der in
            let message = unsafe make(phalanx__v1__certificate__init)
            unsafe message.pointee.der = unsafe bytes(der)
            return unsafe message
        }
    }
}

extension WireReader {
    static func bytes(_ data: ProtobufCBinaryData, _ field: String) throws(WireError) -> [UInt8] {
        try unsafe array(data.data, data.len, limit: WireLimits.certificateByteCount, field)
    }

    fileprivate static func certificates(
        _ certificates: UnsafeMutablePointer<UnsafeMutablePointer<Phalanx__V1__Certificate>?>?, _ count: Int,
        _ field: String
    ) throws(WireError) -> [[UInt8]] {
        try unsafe messages(certificates, count, limit: WireLimits.certificateCount, field) {
            certificate throws(WireError) in try unsafe bytes(certificate.pointee.der, field)
        }
    }
}
