import Foundation
import Synchronization
import Testing
import Transport

@testable import Trust

/// Who gets in over TLS, and who does not.
@Suite(.timeLimit(.minutes(2)))
struct SecurityTests {
    @Test func `nodes of a cluster know each other`() async throws {
        let nodes = try TestNodes()
        let callers = Mutex<[Caller]>([])
        let listener = try await nodes.transport(.worker, "w1").listen([
            TestService.echo: { stream in
                callers.withLock { $0.append(stream.caller) }
                for try await message in stream.messages { try await stream.send(message) }
            }
        ])
        let worker = try nodes.transport(.worker, "w2")
        #expect(try await worker.ask(listener.port, expecting: .worker("w1")) == [7])
        let large = [UInt8](repeating: 3, count: 3 << 20)
        #expect(try await worker.ask(listener.port, TestService.echo, large) == large)
        let node = try NodeIdentity(cluster: nodes.authority.cluster, role: .worker, name: "w2")
        #expect(callers.withLock { $0 } == [.node(node), .node(node)])
        await listener.shutdown(grace: .zero)
    }

    enum Stranger: CaseIterable {
        case withoutCertificate, expired, ofAnotherCluster, revoked, inPlainText
    }

    @Test(arguments: Stranger.allCases)
    func `a stranger gets nothing, and others are not disturbed`(stranger: Stranger) async throws {
        let nodes = try TestNodes()
        let calls = Mutex(0)
        let security = try TransportSecurity(
            nodes.credentials(.coordinator, "c"), revoked: ["bad"], expectsGuests: { false })
        let listener = try await TestNodes.transport(security).listen([
            TestService.echo: { stream in
                calls.withLock { $0 += 1 }
                for try await message in stream.messages { try await stream.send(message) }
            },
            Services.enrol: { _ in calls.withLock { $0 += 1 } },
        ])
        let friend = try await nodes.transport(.worker, "w1").connect(
            host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        let transport: TCPTransport =
            switch stranger {
            case .withoutCertificate:
                TestNodes.transport(try TransportSecurity(guestKnowing: nodes.trust.fingerprint))
            case .expired: try nodes.transport(.worker, "w2", age: 4000)
            case .ofAnotherCluster:
                // It believes this cluster, as one who has stolen the public certificates could.
                TestNodes.transport(try Self.impostor(trusting: nodes))
            case .revoked: try nodes.transport(.worker, "bad")
            case .inPlainText: TestNodes.transport(nil)
            }
        for method in [TestService.echo, Services.enrol] {
            let error = await status { _ = try await transport.ask(listener.port, method) }
            #expect(error?.code == (stranger == .inPlainText ? .unavailable : .unauthenticated), "\(error as Any)")
            if stranger == .inPlainText { #expect(error?.message.contains("speaks TLS") == true) }
        }
        #expect(calls.withLock { $0 } == 0)
        #expect(try await friend.unary(TestService.echo, [9], timeout: .seconds(10)) == [9])
        await friend.close()
        await listener.shutdown(grace: .zero)
    }

    /// Credentials of one cluster that believe another.
    static func impostor(trusting nodes: TestNodes) throws -> TransportSecurity {
        let other = try TestNodes(CertificateAuthority(cluster: nodes.authority.cluster))
        let own = try other.credentials(.worker, "w1")
        return try TransportSecurity(NodeCredentials(key: own.key, chain: own.chain, trust: nodes.trust))
    }

    @Test func `a server that is not whom the client means is refused`() async throws {
        let (nodes, others) = (try TestNodes(), try TestNodes())
        let client = try nodes.transport(.worker, "w2")
        let worker = try await nodes.transport(.worker, "w1").listen()
        for expected in [ExpectedNode.coordinator, .worker("w3")] {
            let error = await status { _ = try await client.ask(worker.port, expecting: expected) }
            #expect(error?.code == .unauthenticated)
            #expect(error?.message.contains("it is worker w1") == true, "\(error as Any)")
        }
        await worker.shutdown(grace: .zero)
        let expired = try await nodes.transport(.coordinator, "c", age: 4000).listen()
        #expect(await status { _ = try await client.ask(expired.port) }?.message.contains("expired") == true)
        await expired.shutdown(grace: .zero)
        let foreign = try await others.transport(.coordinator, "c").listen()
        #expect(await status { _ = try await client.ask(foreign.port) }?.code == .unauthenticated)
        await foreign.shutdown(grace: .zero)
        let plain = try await TestNodes.transport(nil).listen()
        let error = await status { _ = try await client.ask(plain.port) }
        #expect(
            error?.code == .unavailable && error?.message.contains("without credentials") == true, "\(error as Any)")
        await plain.shutdown(grace: .zero)
    }

    @Test func `a role may call what it needs and nothing else`() async throws {
        let nodes = try TestNodes()
        let handler: RPCHandler = { stream in
            for try await message in stream.messages { try await stream.send(message) }
        }
        let methods = [Services.join, Services.forward, Services.generate, Services.describe, Services.healthCheck]
        let listener = try await nodes.transport(.coordinator, "c").listen(
            Dictionary(uniqueKeysWithValues: methods.map { ($0, handler) }))
        let allowed: [NodeRole: Set<RPCMethod>] = [
            .worker: [Services.join, Services.forward, Services.healthCheck],
            .gateway: [Services.generate, Services.describe, Services.healthCheck],
            .coordinator: [Services.generate, Services.describe, Services.healthCheck],
        ]
        for (role, own) in allowed {
            let transport = try nodes.transport(role, "n")
            for method in methods {
                let error = await status { _ = try await transport.ask(listener.port, method, []) }
                #expect(error?.code == (own.contains(method) ? nil : .permissionDenied), "\(role) \(method)")
            }
        }
        await listener.shutdown(grace: .zero)
    }

    @Test func `a guest may ask once to be let in, when guests are expected`() async throws {
        let nodes = try TestNodes()
        let security = try TransportSecurity(nodes.credentials(.coordinator, "c"), expectsGuests: { true })
        let handlers = TestService.handlers.merging([
            Services.enrol: { stream in
                for try await message in stream.messages { try await stream.send(message) }
            }
        ]) { first, _ in first }
        var limits = TransportLimits()
        limits.guestTimeout = .seconds(1)
        let listener = try await TestNodes.transport(security, limits: limits).listen(handlers)
        let guest = TestNodes.transport(try TransportSecurity(guestKnowing: nodes.trust.fingerprint))
        #expect(try await guest.ask(listener.port, Services.enrol, expecting: .coordinator) == [7])
        #expect(await status { _ = try await guest.ask(listener.port) }?.code == .permissionDenied)
        let large = [UInt8](repeating: 0, count: limits.maxGuestMessageByteCount + 1)
        #expect(
            await status { _ = try await guest.ask(listener.port, Services.enrol, large) }?.code == .resourceExhausted)
        let wrong = TestNodes.transport(try TransportSecurity(guestKnowing: [UInt8](repeating: 1, count: 32)))
        #expect(await status { _ = try await wrong.ask(listener.port, Services.enrol) }?.code == .unauthenticated)

        let connection = try await guest.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        #expect(try await connection.unary(Services.enrol, [7], timeout: .seconds(10)) == [7])
        let again = await status { _ = try await connection.unary(Services.enrol, [7], timeout: .seconds(10)) }
        #expect(again?.code == .resourceExhausted)
        // Its time ends by itself.
        #expect(await connection.waitUntilClosed().code == .unavailable)
        // One with a certificate is held to none of this.
        #expect(try await nodes.transport(.worker, "w1").ask(listener.port) == [7])
        await listener.shutdown(grace: .zero)
    }

    @Test func `connections of a node end when it is revoked, those of others stay`() async throws {
        let nodes = try TestNodes()
        var limits = TransportLimits()
        limits.keepaliveInterval = .milliseconds(50)
        let credentials = try nodes.credentials(.coordinator, "c")
        let security = try TransportSecurity(credentials)
        let listener = try await TestNodes.transport(security, limits: limits).listen()
        let (bad, good) = (try nodes.transport(.worker, "bad"), try nodes.transport(.worker, "good"))
        let first = try await bad.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        let second = try await good.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        #expect(try await first.unary(TestService.echo, [7], timeout: .seconds(10)) == [7])
        try security.update(credentials, revoked: ["bad"])
        #expect(await first.waitUntilClosed().code == .unavailable)
        #expect(await status { _ = try await bad.ask(listener.port) }?.code == .unauthenticated)
        #expect(try await second.unary(TestService.echo, [7], timeout: .seconds(10)) == [7])
        await second.close()
        await listener.shutdown(grace: .zero)
    }

    @Test func `credentials and authorities change under load without a failed call`() async throws {
        let before = try TestNodes()
        let after = try TestNodes(before.authority.successor(), trusting: [before.authority])
        let server = try TransportSecurity(before.credentials(.worker, "w1"))
        let client = try TransportSecurity(before.credentials(.worker, "w2"))
        let listener = try await TestNodes.transport(server).listen()
        let transport = TestNodes.transport(client)
        let standing = try await transport.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(30))
        let failures = try await withThrowingTaskGroup(of: [RPCError].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var failures: [RPCError] = []
                    for index in 0..<25 {
                        let error = await status {
                            _ = try await transport.ask(listener.port)
                            _ = try await standing.unary(TestService.echo, [UInt8(index)], timeout: .seconds(30))
                        }
                        if let error { failures.append(error) }
                    }
                    return failures
                }
            }
            group.addTask {
                // The server renews first, so the client meets an authority that it has not heard of.
                try server.update(after.credentials(.worker, "w1"), revoked: [])
                try await Task.sleep(for: .milliseconds(50))
                try client.update(after.credentials(.worker, "w2"), revoked: [])
                for _ in 0..<10 {
                    try server.update(after.credentials(.worker, "w1"), revoked: [])
                    try client.update(after.credentials(.worker, "w2"), revoked: [])
                    try await Task.sleep(for: .milliseconds(10))
                }
                return []
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(failures == [])
        await standing.close()
        await listener.shutdown(grace: .zero)
    }
}
