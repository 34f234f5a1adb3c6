import HTTP2
import Testing
import Transport

/// Recorded calls, damaged and sent to real nodes: whatever comes, the node goes on serving.
@Suite(.timeLimit(.minutes(3)))
struct DamageTests {
    /// SplitMix64.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    private static func carry(from one: HTTP2Session, to two: HTTP2Session, _ record: inout [UInt8]) throws {
        while let bytes = try one.takeOutput(limitByteCount: 1 << 20) {
            record += bytes
            // Sound because the span of an array of bytes is read as bytes.
            try unsafe two.receive(bytes.span.bytes, nowNanoseconds: 1)
        }
    }

    /// What a client and a server say to each other in three calls.
    private static func recordings() throws -> (client: [UInt8], server: [UInt8]) {
        let client = try HTTP2Session(role: .client)
        let server = try HTTP2Session(role: .server)
        var (fromClient, fromServer): ([UInt8], [UInt8]) = ([], [])
        for method in ["Echo", "Total", "Nothing"] {
            let stream = try client.submitRequest(
                [
                    HTTP2Header(":method", "POST"), HTTP2Header(":scheme", "http"),
                    HTTP2Header(":path", "/phalanx.test.Test/\(method)"), HTTP2Header(":authority", "here"),
                    HTTP2Header("te", "trailers"), HTTP2Header("content-type", "application/grpc"),
                    HTTP2Header("grpc-timeout", "9S"),
                ], endStream: false)
            try client.send(stream: stream, [[0, 0, 0, 0, 4, 1, 2, 3, 4], [0, 0, 0, 0, 0]])
            try client.end(stream: stream)
            try carry(from: client, to: server, &fromClient)
            try server.submitResponse(
                stream: stream, [HTTP2Header(":status", "200"), HTTP2Header("content-type", "application/grpc")],
                endStream: false)
            try server.send(stream: stream, [[0, 0, 0, 0, 2, 9, 9]])
            try server.end(
                stream: stream, trailers: [HTTP2Header("grpc-status", "3"), HTTP2Header("grpc-message", "no%20way")])
            try carry(from: server, to: client, &fromServer)
            try carry(from: client, to: server, &fromClient)
        }
        return (fromClient, fromServer)
    }

    private static func damage(_ bytes: [UInt8], keeping prefix: Int, _ random: inout Generator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard bytes.count > prefix + 1 else { break }
            let place = Int.random(in: prefix..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...9, using: &random)))
            default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            }
        }
        return bytes
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `a server outlives damaged clients`(seed: UInt64) async throws {
        var random = Generator(state: seed)
        let recorded = try Self.recordings().client
        let listener = try await Twin.tcp.make().listen(host: "127.0.0.1", port: 0, handlers: TestService.handlers)
        for index in 0..<250 {
            let peer = try RawPeer.connect(port: listener.port)
            await peer.write(Self.damage(recorded, keeping: 24, &random))
            peer.endWriting()
            #expect(await peer.readToEnd().count < 1 << 16, "seed \(seed), case \(index)")
        }
        let connection = try await Twin.tcp.make().connect(
            host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        #expect(try await connection.unary(TestService.echo, [7], timeout: .seconds(30)) == [7])
        await connection.close()
        await listener.shutdown(grace: .zero)
    }

    @Test(arguments: [3, 4] as [UInt64])
    func `a client outlives damaged servers and every call ends`(seed: UInt64) async throws {
        var random = Generator(state: seed)
        let recorded = try Self.recordings().server
        let (door, port) = try RawPeer.listen()
        for index in 0..<150 {
            let answer = Self.damage(recorded, keeping: 0, &random)
            let server = Task {
                let peer = try await door.accept()
                _ = await peer.read()
                await peer.write(answer)
                peer.endWriting()
                _ = await peer.readToEnd()
            }
            let error = await status {
                let connection = try await Twin.tcp.make().connect(
                    host: "127.0.0.1", port: port, timeout: .seconds(10))
                for _ in 0..<3 { _ = try await connection.unary(TestService.echo, [1], timeout: .seconds(10)) }
            }
            #expect(error != nil, "seed \(seed), case \(index)")
            _ = await server.result
        }
    }
}
