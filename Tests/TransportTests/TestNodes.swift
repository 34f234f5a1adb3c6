import Foundation
import Logging
import Transport

@testable import Trust

/// Nodes of one cluster, with credentials made for a test.
struct TestNodes {
    let authority: CertificateAuthority
    let trust: TrustBundle

    init() throws { try self.init(CertificateAuthority()) }

    init(_ authority: CertificateAuthority, trusting others: [CertificateAuthority] = []) throws {
        self.authority = authority
        trust = try TrustBundle([authority.certificate] + others.map(\.certificate))
    }

    /// - Parameter age: how long ago a certificate of an hour was issued, in seconds.
    func credentials(_ role: NodeRole, _ name: String, age: TimeInterval = 0) throws -> NodeCredentials {
        let key = NodeKey()
        let chain = try authority.issue(
            role, name, for: CertificateRequest(der: key.certificateRequest()), lifetime: 3600, now: Date() - age)
        return try NodeCredentials(key: key, chain: chain, trust: trust)
    }

    func transport(
        _ role: NodeRole, _ name: String, age: TimeInterval = 0, limits: TransportLimits = TransportLimits()
    ) throws -> TCPTransport {
        Self.transport(try TransportSecurity(credentials(role, name, age: age)), limits: limits)
    }

    static func transport(_ security: TransportSecurity?, limits: TransportLimits = TransportLimits()) -> TCPTransport {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return TCPTransport(limits: limits, security: security, logger: logger)
    }
}

extension RPCTransport {
    func listen(_ handlers: [RPCMethod: RPCHandler] = TestService.handlers) async throws -> any RPCListener {
        try await listen(host: "127.0.0.1", port: 0, handlers: handlers)
    }

    /// Connects, calls a method once and closes.
    func ask(
        _ port: Int, _ method: RPCMethod = TestService.echo, _ message: [UInt8] = [7], expecting: ExpectedNode = .any
    ) async throws -> [UInt8] {
        let connection = try await connect(
            host: "127.0.0.1", port: port, timeout: .seconds(10), expecting: expecting)
        do {
            let answer = try await connection.unary(method, message, timeout: .seconds(30))
            await connection.close()
            return answer
        } catch {
            await connection.close()
            throw error
        }
    }
}
