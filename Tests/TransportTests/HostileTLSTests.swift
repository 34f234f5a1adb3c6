import Foundation
import TestSupport
import Testing
import Transport

@testable import Trust

/// What comes to a TLS port that is no handshake, or never becomes one.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct HostileTLSTests {
    /// The first flight of a client with good credentials.
    private func clientHello(_ nodes: TestNodes) async throws -> [UInt8] {
        let (door, port) = try RawPeer.listen()
        let client = try nodes.transport(.worker, "w1")
        let attempt = Task { try await client.connect(host: "127.0.0.1", port: port, timeout: .seconds(10)) }
        let peer = try await door.accept()
        let bytes = await peer.read()
        attempt.cancel()
        _ = await attempt.result
        return bytes
    }

    /// Garbage of many kinds: noise, records of every type and length, and damaged handshakes.
    private func garbage(_ hello: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return noise(Int.random(in: 1...600, using: &random))
        case 1:
            let type = UInt8.random(in: 19...25, using: &random)
            return [type, 3, UInt8.random(in: 0...4, using: &random)] + noise(2)
                + noise(Int.random(in: 0...20_000, using: &random))
        case 2: return Array(hello.prefix(Int.random(in: 1..<hello.count, using: &random)))
        case 3: return hello + noise(Int.random(in: 1...2000, using: &random))
        default:
            var bytes = hello
            for _ in 0...Int.random(in: 0...6, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            return bytes
        }
    }

    @Test func `3,000 connections of garbage cost no lasting memory and disturb nobody`() async throws {
        let nodes = try TestNodes()
        let hello = try await clientHello(nodes)
        try #require(hello.count > 100)
        let listener = try await nodes.transport(.coordinator, "c").listen()
        let client = try nodes.transport(.worker, "w1")
        let standing = try await client.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        let seed: UInt64 = 71
        var random = SeededGenerator(seed: seed)
        var before = 0
        for round in 0..<3000 {
            // What the allocator and the pools keep after the first connections is not a leak.
            if round == 500 { before = ProcessMemory.residentByteCount }
            let peer = try RawPeer.connect(port: listener.port)
            await peer.write(garbage(hello, &random))
            peer.endWriting()
            let answer = await peer.readToEnd(limit: 1 << 16)
            #expect(answer.count < 1 << 16, "seed \(seed), connection \(round)")
            if round % 300 == 0 {
                #expect(try await standing.unary(TestService.echo, [7], timeout: .seconds(10)) == [7])
            }
        }
        let growth = ProcessMemory.residentByteCount - before
        #expect(growth < 32 << 20, "grew by \(growth) bytes, seed \(seed)")
        #expect(try await client.ask(listener.port) == [7])
        await standing.close()
        await listener.shutdown(grace: .zero)
    }

    @Test(arguments: [0, 1, 100])
    func `a handshake that stops is dropped`(byteCount: Int) async throws {
        let nodes = try TestNodes()
        let hello = try await clientHello(nodes)
        var limits = TransportLimits()
        limits.handshakeTimeout = .milliseconds(300)
        let listener = try await nodes.transport(.coordinator, "c", limits: limits).listen()
        let peer = try RawPeer.connect(port: listener.port)
        await peer.write(Array(hello.prefix(byteCount)))
        #expect(await peer.readToEnd() == [])
        await listener.shutdown(grace: .zero)
    }

    @Test func `half-made connections do not keep a node out`() async throws {
        let nodes = try TestNodes()
        var limits = TransportLimits()
        limits.maxConnections = 4
        limits.handshakeTimeout = .seconds(100)
        let listener = try await nodes.transport(.coordinator, "c", limits: limits).listen()
        let client = try nodes.transport(.worker, "w1")
        let standing = try await client.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        #expect(try await standing.unary(TestService.echo, [7], timeout: .seconds(10)) == [7])
        var crowd: [RawPeer] = []
        for _ in 0..<40 { crowd.append(try RawPeer.connect(port: listener.port)) }
        // Among the crowd's attempts one of the node's may have to give way, too: like a node, it tries again.
        while await status({ _ = try await client.ask(listener.port) }) != nil {}
        #expect(try await standing.unary(TestService.echo, [8], timeout: .seconds(10)) == [8])
        withExtendedLifetime(crowd) {}
        await standing.close()
        await listener.shutdown(grace: .zero)
    }

    @Test func `garbage after a good handshake ends that connection alone`() async throws {
        let nodes = try TestNodes()
        let listener = try await nodes.transport(.coordinator, "c").listen()
        // A relay between a good client and the server, which spoils a record once they talk.
        let client = try nodes.transport(.worker, "w1")
        let (door, port) = try RawPeer.listen()
        let relay = Task {
            let near = try await door.accept()
            let far = try RawPeer.connect(port: listener.port)
            let back = Task {
                while true {
                    let bytes = await far.read()
                    guard !bytes.isEmpty else { break }
                    await near.write(bytes)
                }
                near.endWriting()
            }
            var count = 0
            while true {
                var bytes = await near.read()
                guard !bytes.isEmpty else { break }
                count += bytes.count
                // Beyond both sides' handshakes, certificates and all.
                if count > 20_000 { bytes[bytes.count - 1] ^= 1 }
                await far.write(bytes)
            }
            far.endWriting()
            _ = await back.value
        }
        let other = try await client.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        let spoiled = try await client.connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
        let error = await status {
            _ = try await spoiled.unary(TestService.echo, [UInt8](repeating: 1, count: 1 << 20), timeout: .seconds(20))
        }
        #expect(error?.code == .unavailable, "\(error as Any)")
        #expect(try await other.unary(TestService.echo, [7], timeout: .seconds(10)) == [7])
        await spoiled.close()
        await other.close()
        await listener.shutdown(grace: .zero)
        _ = await relay.result
    }
}
