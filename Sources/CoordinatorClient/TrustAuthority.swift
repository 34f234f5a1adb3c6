internal import Foundation
public import Logging
public import Transport
public import Trust
import Wire

/// The coordinator's part in trust: lets new nodes in, renews certificates, and tells all nodes what changes.
///
/// It looks at the cluster's directory again and again, so that commands which change it need not reach this process.
public actor TrustAuthority {
    private let directory: ClusterDirectory
    public nonisolated let security: TransportSecurity
    private let logger: Logger
    private var current: TrustUpdate
    private var watchers: [Int: AsyncStream<TrustUpdate>.Continuation] = [:]
    private var lastWatcher = 0
    private var enrollingCount = 0

    private static let pause = Duration.seconds(1)
    /// What a wrong token costs the one who shows it.
    private static let penalty = Duration.seconds(1)
    /// New nodes that are heard at the same time.
    private static let enrollingLimit = 16

    /// Throws `TrustError` when the directory holds no cluster of this machine.
    public init(directory: ClusterDirectory, logger: Logger) throws {
        self.directory = directory
        self.logger = logger
        _ = try directory.authority()
        guard let credentials = try directory.credentials(.coordinator) else {
            throw TrustError(.directory, "\(directory.path) has no credentials of a coordinator")
        }
        let revoked = directory.revokedNames()
        security = try TransportSecurity(
            credentials, revoked: revoked, expectsGuests: { directory.expectsGuests })
        current = TrustUpdate(authorities: credentials.trust.der, revoked: revoked.sorted())
    }

    public nonisolated var handlers: [RPCMethod: RPCHandler] {
        [
            Services.enrol: { stream in
                let request = try await EngineService.question(EnrolRequest.self, stream)
                try await stream.send(try await self.enrol(request, from: stream.peer).wireBytes())
            },
            Services.renew: { stream in
                let request = try await EngineService.question(RenewRequest.self, stream)
                guard let node = stream.caller.node else {
                    throw RPCError(.unauthenticated, "a certificate is renewed for the node that shows it")
                }
                try await stream.send(try await self.renew(request, of: node).wireBytes())
            },
            Services.watchTrust: { stream in
                _ = try await EngineService.question(EmptyMessage.self, stream)
                for await update in await self.updates() { try await stream.send(update.wireBytes()) }
            },
        ]
    }

    /// Follows the directory until the task is cancelled.
    public func run() async throws {
        while !Task.isCancelled {
            do {
                try refresh()
            } catch {
                logger.error("Cannot follow the cluster's directory", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.pause)
        }
    }

    private func refresh() throws {
        if directory.expectsGuests { directory.removeExpiredInvitations() }
        guard var credentials = try directory.credentials(.coordinator) else {
            throw TrustError(.directory, "\(directory.path) has lost the coordinator's credentials")
        }
        let isDue = credentials.chain.renewal <= Date() || !credentials.chain.isIssued(by: credentials.trust)
        if isDue {
            let key = NodeKey()
            let chain = try directory.renew(
                credentials.identity, for: CertificateRequest(der: key.certificateRequest()))
            credentials = try NodeCredentials(key: key, chain: chain, trust: credentials.trust)
            try directory.store(credentials)
            logger.notice("Renewed the coordinator's certificate", metadata: ["until": "\(chain.notAfter)"])
        }
        let revoked = directory.revokedNames()
        let update = TrustUpdate(authorities: credentials.trust.der, revoked: revoked.sorted())
        guard isDue || update != current else { return }
        try security.update(credentials, revoked: revoked)
        guard update != current else { return }
        current = update
        for watcher in watchers.values { watcher.yield(update) }
        logger.notice(
            "Trust has changed",
            metadata: ["authorities": "\(update.authorities.count)", "revoked": "\(update.revoked)"])
    }

    // MARK: Calls

    private func enrol(_ request: EnrolRequest, from peer: String) async throws -> CertificatesMessage {
        guard enrollingCount < Self.enrollingLimit else {
            throw RPCError(.resourceExhausted, "many nodes want to join just now: try again")
        }
        enrollingCount += 1
        defer { enrollingCount -= 1 }
        do {
            guard let role = NodeRole(rawValue: request.role) else {
                throw TrustError(.malformed, "a node cannot join as \(request.role.prefix(40))")
            }
            let chain = try directory.redeem(
                id: request.invitation, secret: request.secret, role: role, name: request.name,
                request: CertificateRequest(der: request.certificateRequest))
            logger.notice("Let a new node in", metadata: ["node": "\(chain.identity)", "peer": "\(peer)"])
            return CertificatesMessage(chain: chain.der, authorities: current.authorities)
        } catch let error as TrustError {
            logger.warning("Did not let a node in", metadata: ["peer": "\(peer)", "reason": "\(error)"])
            try await Task.sleep(for: Self.penalty)
            throw RPCError(error)
        }
    }

    private func renew(_ request: RenewRequest, of node: NodeIdentity) throws -> CertificatesMessage {
        do throws(TrustError) {
            let chain = try directory.renew(node, for: CertificateRequest(der: request.certificateRequest))
            logger.info("Renewed a certificate", metadata: ["node": "\(node)", "until": "\(chain.notAfter)"])
            return CertificatesMessage(chain: chain.der, authorities: current.authorities)
        } catch {
            logger.warning("Did not renew a certificate", metadata: ["node": "\(node)", "reason": "\(error)"])
            throw RPCError(error)
        }
    }

    /// The state of things now, and whenever it changes.
    private func updates() -> AsyncStream<TrustUpdate> {
        let (stream, continuation) = AsyncStream.makeStream(of: TrustUpdate.self, bufferingPolicy: .bufferingNewest(1))
        lastWatcher += 1
        let number = lastWatcher
        watchers[number] = continuation
        continuation.onTermination = { [weak self] _ in Task { await self?.forget(number) } }
        continuation.yield(current)
        return stream
    }

    private func forget(_ watcher: Int) { watchers[watcher] = nil }
}

extension RPCError {
    /// What a node is told of a refusal. Paths of this machine are for its own log.
    init(_ error: TrustError) {
        switch error.code {
        case .malformed: self.init(.invalidArgument, error.message)
        case .tokenRefused, .stranger, .expired: self.init(.unauthenticated, error.message)
        case .revoked, .wrongRole: self.init(.permissionDenied, error.message)
        case .nameTaken: self.init(.alreadyExists, error.message)
        case .directory: self.init(.internalError, "the coordinator cannot do that now: its log says why")
        }
    }
}
