internal import Foundation
public import Logging
public import Transport
public import Trust
import Wire

/// A node's part in trust: keeps its certificate fresh, and learns from the coordinator whom to believe.
///
/// Connections stand through all of this: new ones use the new credentials.
public actor TrustKeeper {
    private let directory: ClusterDirectory
    private let security: TransportSecurity
    private let transport: any RPCTransport
    private let host: String
    private let port: Int
    private let logger: Logger
    private var credentials: NodeCredentials
    private var revoked: Set<String> = []

    private static let connectTimeout = Duration.seconds(5)
    private static let answerTimeout = Duration.seconds(10)
    private static let firstPause = Duration.milliseconds(250)
    private static let longestPause = Duration.seconds(15)
    /// How often the certificate's age is looked at.
    private static let checkPause = Duration.seconds(60)

    /// - Parameters:
    ///   - security: that of `transport`.
    ///   - host: of the coordinator.
    public init(
        directory: ClusterDirectory, credentials: NodeCredentials, security: TransportSecurity,
        transport: any RPCTransport, host: String, port: Int, logger: Logger
    ) {
        self.directory = directory
        self.credentials = credentials
        self.security = security
        self.transport = transport
        self.host = host
        self.port = port
        self.logger = logger
    }

    /// Works until the task is cancelled.
    public func run() async throws {
        var pause = Self.firstPause
        while !Task.isCancelled {
            do {
                try await follow { pause = Self.firstPause }
            } catch {
                // Whoever does the node's work over the same way says so loudly.
                logger.debug("Lost the coordinator's news on trust", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// One connection's worth of news.
    private func follow(whenHeard: () -> Void) async throws {
        let connection = try await transport.connect(
            host: host, port: port, timeout: Self.connectTimeout, expecting: .coordinator)
        do {
            let stream = try await connection.call(Services.watchTrust, timeout: nil)
            try await stream.send(EmptyMessage().wireBytes())
            try await stream.finish()
            let clock = Task {
                while true {
                    try await Task.sleep(for: Self.checkPause)
                    try await renewIfDue(over: connection)
                }
            }
            defer { clock.cancel() }
            for try await bytes in stream.messages {
                whenHeard()
                try await take(try TrustUpdate(wireBytes: bytes), over: connection)
            }
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
    }

    private func take(_ update: TrustUpdate, over connection: any RPCConnection) async throws {
        let trust = try TrustBundle(der: update.authorities)
        revoked = Set(update.revoked)
        try use(NodeCredentials(key: credentials.key, chain: credentials.chain, trust: trust))
        try await renewIfDue(over: connection)
    }

    private func renewIfDue(over connection: any RPCConnection) async throws {
        guard credentials.chain.renewal <= Date() || !credentials.chain.isIssued(by: credentials.trust) else { return }
        let key = NodeKey()
        let answer = try CertificatesMessage(
            wireBytes: try await connection.unary(
                Services.renew, RenewRequest(certificateRequest: key.certificateRequest()).wireBytes(),
                timeout: Self.answerTimeout))
        let trust = try TrustBundle(der: answer.authorities)
        guard try await trust.verify(answer.chain) == credentials.identity else {
            throw TrustError(.malformed, "the coordinator sent the certificate of another node")
        }
        try use(NodeCredentials(key: key, chain: CertificateChain(der: answer.chain), trust: trust))
        logger.notice("Renewed the certificate", metadata: ["until": "\(credentials.chain.notAfter)"])
    }

    private func use(_ new: NodeCredentials) throws {
        // Kept first: whatever is in use survives this process.
        if new.chain != credentials.chain || new.trust != credentials.trust { try directory.store(new) }
        credentials = new
        try security.update(new, revoked: revoked)
    }
}
