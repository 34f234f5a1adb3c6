import CoordinatorClient
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import Transport

@testable import Trust

/// Joining with a token, renewal, rotation and revocation, between a coordinator and its nodes.
@Suite(.timeLimit(.minutes(2)))
struct TrustServiceTests {
    private let folder: TemporaryDirectory
    private let directory: ClusterDirectory
    private let logger: Logger
    private let log = LogLines()

    init() throws {
        folder = try TemporaryDirectory()
        directory = ClusterDirectory(path: folder.url.appendingPathComponent("coordinator").path)
        _ = try directory.makeCluster()
        let log = log
        var logger = Logger(label: "test") { _ in log }
        logger.logLevel = .trace
        self.logger = logger
    }

    /// Runs `body` with a coordinator that serves trust and one method more.
    private func serve(_ body: (Int) async throws -> Void) async throws {
        let authority = try TrustAuthority(directory: directory, logger: logger)
        let handlers = authority.handlers.merging([
            Self.echo: { stream in for try await message in stream.messages { try await stream.send(message) } }
        ]) { first, _ in first }
        let listener = try await TCPTransport(security: authority.security, logger: logger)
            .listen(host: "127.0.0.1", port: 0, handlers: handlers)
        let following = Task { try await authority.run() }
        do {
            try await body(listener.port)
        } catch {
            following.cancel()
            await listener.shutdown(grace: .zero)
            throw error
        }
        following.cancel()
        await listener.shutdown(grace: .zero)
    }

    private static let echo = RPCMethod(service: "phalanx.test.Test", name: "Echo")

    private func enrol(_ token: JoinToken, _ name: String, port: Int) async throws -> NodeCredentials {
        try await Enrolment.enrol(.worker, name: name, token: token, host: "127.0.0.1", port: port, logger: logger)
    }

    private func reason(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch { return "\(error)" }
    }

    @Test func `a token makes a node of the cluster, and replayed, late or foreign ones get nothing`() async throws {
        try await serve { port in
            let token = try directory.invite(.worker, name: nil, lifetime: 60)
            let spare = try directory.invite(.worker, name: "chosen", lifetime: 60)
            let credentials = try await enrol(token, "w1", port: port)
            #expect(credentials.identity.name == "w1" && credentials.identity.role == .worker)
            let transport = TCPTransport(security: try TransportSecurity(credentials), logger: logger)
            let connection = try await transport.connect(
                host: "127.0.0.1", port: port, timeout: .seconds(10), expecting: .coordinator)
            #expect(try await connection.unary(Self.echo, [7], timeout: .seconds(10)) == [7])
            await connection.close()

            let replayed = await reason { _ = try await enrol(token, "w2", port: port) }
            #expect(replayed?.contains("it was used") == true, "\(replayed ?? "")")
            let taken = try directory.invite(.worker, name: nil, lifetime: 60)
            #expect(await reason { _ = try await enrol(taken, "w1", port: port) }?.contains("already") == true)
            #expect(try await enrol(spare, "mine", port: port).identity.name == "chosen")

            let late = try directory.invite(.worker, name: nil, lifetime: 0.001)
            #expect(await reason { _ = try await enrol(late, "w3", port: port) } != nil)
            let other = ClusterDirectory(path: folder.url.appendingPathComponent("other").path)
            _ = try other.makeCluster()
            let foreign = try other.invite(.worker, name: nil, lifetime: 60)
            let refused = await reason { _ = try await enrol(foreign, "w4", port: port) }
            #expect(refused?.contains("not the coordinator that the join token is for") == true, "\(refused ?? "")")
            #expect(try directory.issuedNodes().map(\.identity.name).sorted() == ["chosen", "coordinator", "w1"])
        }
        // Neither side's log has a secret in it, at the most talkative level.
        #expect(!log.text.isEmpty)
        for word in ["phalanx1.", "PRIVATE", "secret"] { #expect(!log.text.contains(word), "\(word)") }
    }

    @Test func `of two nodes with one token, one is let in`() async throws {
        try await serve { port in
            let token = try directory.invite(.worker, name: nil, lifetime: 60)
            async let first = reason { _ = try await enrol(token, "w1", port: port) }
            async let second = reason { _ = try await enrol(token, "w2", port: port) }
            let reasons = await [first, second]
            #expect(reasons.filter { $0 == nil }.count == 1, "\(reasons)")
        }
    }

    @Test func `nobody without a certificate is heard once all tokens are used`() async throws {
        try await serve { port in
            let token = try directory.invite(.worker, name: nil, lifetime: 60)
            _ = try await enrol(token, "w1", port: port)
            let refused = await reason { _ = try await enrol(token, "w2", port: port) }
            #expect(refused?.contains("without a certificate") == true, "\(refused ?? "")")
        }
    }

    @Test func `a rotation reaches every node, and no call of theirs fails`() async throws {
        try await serve { port in
            let credentials = try await enrol(directory.invite(.worker, name: "w1", lifetime: 60), "w1", port: port)
            let own = ClusterDirectory(path: folder.url.appendingPathComponent("worker").path)
            try own.store(credentials)
            let security = try TransportSecurity(credentials)
            let transport = TCPTransport(security: security, logger: logger)
            let keeper = TrustKeeper(
                directory: own, credentials: credentials, security: security, transport: transport,
                host: "127.0.0.1", port: port, logger: logger)
            let keeping = Task { try await keeper.run() }
            defer { keeping.cancel() }
            let isOver = Mutex(false)
            async let calling = {
                var failures: [String] = []
                while !isOver.withLock({ $0 }) {
                    let failure = await reason {
                        let connection = try await transport.connect(
                            host: "127.0.0.1", port: port, timeout: .seconds(30), expecting: .coordinator)
                        _ = try await connection.unary(Self.echo, [7], timeout: .seconds(30))
                        await connection.close()
                    }
                    if let failure { failures.append(failure) }
                }
                return failures
            }()
            let old = try #require(security.credentials?.trust)
            try directory.beginRotation()
            try await waitUntil {
                security.credentials.map { $0.chain.isIssued(by: $0.trust) && $0.trust != old } == true
            }
            try await waitUntil { try directory.finishRotation(force: false) == [] }
            try await waitUntil { security.credentials?.trust.der.count == 1 }
            isOver.withLock { $0 = true }
            #expect(await calling == [])
            let kept = try #require(try own.credentials(.worker))
            #expect(kept.chain == security.credentials?.chain && kept.trust == security.credentials?.trust)
            // What was good before the rotation is not any more.
            let stale = TCPTransport(security: try TransportSecurity(credentials), logger: logger)
            await #expect(throws: RPCError.self) {
                let connection = try await stale.connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
                _ = try await connection.unary(Self.echo, [7], timeout: .seconds(10))
            }
        }
    }

    @Test func `a certificate is renewed in its last third, and a revoked node learns of no renewal`() async throws {
        try await serve { port in
            let authority = try directory.authority()
            let key = NodeKey()
            let chain = try authority.issue(
                .worker, "w1", for: CertificateRequest(der: key.certificateRequest()), lifetime: 60,
                now: Date() - 55)
            let credentials = try NodeCredentials(
                key: key, chain: chain, trust: try #require(try directory.trust()))
            let own = ClusterDirectory(path: folder.url.appendingPathComponent("worker").path)
            let security = try TransportSecurity(credentials)
            let keeper = TrustKeeper(
                directory: own, credentials: credentials, security: security,
                transport: TCPTransport(security: security, logger: logger), host: "127.0.0.1", port: port,
                logger: logger)
            let keeping = Task { try await keeper.run() }
            try await waitUntil { (security.credentials?.chain.notAfter ?? .distantPast) > Date() + 86_400 }
            #expect(security.credentials?.key.derBytes != key.derBytes)
            #expect(try own.credentials(.worker)?.chain == security.credentials?.chain)
            keeping.cancel()
            try directory.revoke("w1")
            let renewed = try #require(security.credentials)
            let transport = TCPTransport(security: try TransportSecurity(renewed), logger: logger)
            try await waitUntil {
                await reason {
                    let connection = try await transport.connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
                    _ = try await connection.unary(Self.echo, [7], timeout: .seconds(10))
                    await connection.close()
                } != nil
            }
        }
    }

    private func waitUntil(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(20)) }
    }
}

/// What was logged, all of it.
final class LogLines: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        lines.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
    }
}
