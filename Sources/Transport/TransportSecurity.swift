internal import NIOCore
internal import NIOSSL
internal import Synchronization
public import Trust

/// How a node encrypts, shows who it is, and decides whom it speaks with: TLS 1.3 with certificates on both sides.
///
/// The credentials can be replaced while connections stand: new ones use the new credentials, and those of a node that
/// was revoked are ended.
public final class TransportSecurity: Sendable {
    private enum Standing {
        /// A node of a cluster.
        case node(NodeCredentials)
        /// On its way to become one: it knows its coordinator by the authority's fingerprint, and shows nothing.
        case guest(fingerprint: [UInt8])
    }

    private struct State {
        var standing: Standing
        var revoked: Set<String>
        /// Nil for a guest, which serves nobody.
        var server: NIOSSLContext?
        /// The same, but for clients that show no certificate, too.
        var openServer: NIOSSLContext?
        var client: NIOSSLContext
    }

    private let state: Mutex<State>
    /// Whether nodes without a certificate get a hearing now: those that bring a join token.
    private let expectsGuests: @Sendable () -> Bool

    /// Throws `TrustError` (`malformed`) when the TLS library does not take the credentials.
    public init(
        _ credentials: NodeCredentials, revoked: Set<String> = [],
        expectsGuests: @escaping @Sendable () -> Bool = { false }
    ) throws {
        self.expectsGuests = expectsGuests
        state = Mutex(try Self.state(credentials, revoked))
    }

    /// For a new node that has nothing but a join token: it can reach its coordinator and ask to be let in.
    public init(guestKnowing fingerprint: [UInt8]) throws {
        expectsGuests = { false }
        state = Mutex(
            State(
                standing: .guest(fingerprint: fingerprint), revoked: [],
                client: try NIOSSLContext(configuration: Self.configuration(nil))))
    }

    /// Uses other credentials from now on.
    public func update(_ credentials: NodeCredentials, revoked: Set<String>) throws {
        let new = try Self.state(credentials, revoked)
        state.withLock { $0 = new }
    }

    /// The credentials in use; nil for a guest.
    public var credentials: NodeCredentials? {
        state.withLock { state in if case .node(let credentials) = state.standing { credentials } else { nil } }
    }

    /// Why connections with a node must end, when that is so.
    func objection(to identity: NodeIdentity) -> String? {
        state.withLock { $0.revoked.contains(identity.name) } ? "\(identity) was revoked" : nil
    }

    // MARK: Contexts

    private static func state(_ credentials: NodeCredentials, _ revoked: Set<String>) throws -> State {
        var server = try configuration(credentials)
        let required = try NIOSSLContext(configuration: server)
        server.certificateVerification = .optionalVerification
        return State(
            standing: .node(credentials), revoked: revoked, server: required,
            openServer: try NIOSSLContext(configuration: server),
            client: try NIOSSLContext(configuration: configuration(credentials)))
    }

    /// One configuration does for both sides; it names no authorities, since `verify` decides.
    private static func configuration(_ credentials: NodeCredentials?) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.applicationProtocols = [applicationProtocol]
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.shutdownTimeout = .seconds(1)
        if let credentials {
            configuration.certificateChain = try credentials.chain.der.map {
                .certificate(try NIOSSLCertificate(bytes: $0, format: .der))
            }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: credentials.key.derBytes, format: .der))
        }
        return configuration
    }

    static let applicationProtocol = "h2"

    // MARK: Handlers

    /// The TLS handler for a connection that came in. On the connection's event loop.
    func serverHandler(for peer: TLSPeer, admitsGuests: Bool) throws -> NIOSSLServerHandler {
        let isOpen = admitsGuests && expectsGuests()
        guard let context = state.withLock({ isOpen ? $0.openServer : $0.server }) else {
            throw TrustError(.directory, "a node without credentials cannot serve")
        }
        return NIOSSLServerHandler(
            context: context, customVerificationCallback: { self.verify($0, for: peer, $1) }, configuration: .init())
    }

    /// The TLS handler for a connection to another node. On the connection's event loop.
    func clientHandler(for peer: TLSPeer) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(
            context: state.withLock { $0.client }, serverHostname: nil,
            customVerificationCallback: { self.verify($0, for: peer, $1) })
    }

    private func verify(
        _ chain: [NIOSSLCertificate], for peer: TLSPeer, _ promise: EventLoopPromise<NIOSSLVerificationResult>
    ) {
        let loop = promise.futureResult.eventLoop
        loop.makeFutureWithTask { try await self.identify(chain.map { try $0.toDERBytes() }) }
            .assumeIsolated().whenComplete { result in
                do {
                    let identity = try result.get()
                    try peer.expected.check(identity)
                    peer.identity = identity
                    promise.succeed(.certificateVerified)
                } catch {
                    peer.refusal = "\(error)"
                    promise.succeed(.failed)
                }
            }
    }

    /// Says whose chain it is. Throws `TrustError` when it is nobody's whom this node should speak with.
    private func identify(_ shown: [[UInt8]]) async throws -> NodeIdentity {
        switch state.withLock({ $0.standing }) {
        case .node(let credentials):
            let identity = try await credentials.trust.verify(shown)
            if let objection = objection(to: identity) { throw TrustError(.revoked, objection) }
            return identity
        case .guest(let fingerprint):
            return try await TrustBundle(fingerprint: fingerprint, in: shown).verify(shown)
        }
    }
}

/// What a TLS handshake has found out about the other side. Confined to its event loop.
final class TLSPeer {
    let expected: ExpectedNode
    /// Set by this very handshake, when it verified a certificate; never taken over from an earlier connection.
    var identity: NodeIdentity?
    /// Why its certificate was refused.
    var refusal: String?

    init(expected: ExpectedNode) { self.expected = expected }
}
