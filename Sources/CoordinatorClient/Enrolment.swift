public import Logging
public import Transport
public import Trust
import Wire

/// How a new node gets its certificate: with a join token, once.
public enum Enrolment {
    private static let connectTimeout = Duration.seconds(5)
    private static let answerTimeout = Duration.seconds(15)
    private static let firstPause = Duration.milliseconds(250)
    private static let longestPause = Duration.seconds(5)

    /// Makes a key and has the coordinator sign for it; waits for a coordinator that is not there yet.
    ///
    /// - Parameters:
    ///   - name: what the node would like to be called; the invitation may say otherwise.
    ///   - limits: as for other connections.
    /// - Throws: `TrustError` when the coordinator is another one than the token is for, or refuses.
    public static func enrol(
        _ role: NodeRole, name: String, token: JoinToken, host: String, port: Int,
        limits: TransportLimits = TransportLimits(), logger: Logger
    ) async throws -> NodeCredentials {
        try NodeIdentity.check(name)
        let transport = TCPTransport(
            limits: limits, security: try TransportSecurity(guestKnowing: token.fingerprint), logger: logger)
        var pause = firstPause
        while true {
            do {
                return try await ask(role, name: name, token: token, transport, host: host, port: port)
            } catch let error as RPCError {
                switch error.code {
                case .unavailable, .resourceExhausted, .deadlineExceeded:
                    logger.warning(
                        "Cannot join yet; trying again", metadata: ["error": "\(error.message)", "pause": "\(pause)"])
                default: throw TrustError(.tokenRefused, "\(host):\(port) did not let this node in: \(error.message)")
                }
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, longestPause)
        }
    }

    private static func ask(
        _ role: NodeRole, name: String, token: JoinToken, _ transport: TCPTransport, host: String, port: Int
    ) async throws -> NodeCredentials {
        let connection = try await transport.connect(
            host: host, port: port, timeout: connectTimeout, expecting: .coordinator)
        let key = NodeKey()
        let request = EnrolRequest(
            invitation: token.id, secret: token.secret, role: role.rawValue, name: name,
            certificateRequest: try key.certificateRequest())
        let bytes: [UInt8]
        do {
            bytes = try await connection.unary(Services.enrol, request.wireBytes(), timeout: answerTimeout)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
        let answer = try CertificatesMessage(wireBytes: bytes)
        let trust = try TrustBundle(der: answer.authorities)
        let identity = try await trust.verify(answer.chain)
        guard identity.role == role else {
            throw TrustError(.wrongRole, "the coordinator let this node in as \(identity)")
        }
        return try NodeCredentials(key: key, chain: CertificateChain(der: answer.chain), trust: trust)
    }
}
