import HTTP2
import Testing
import Transport

/// Peers that stop reading, stop speaking, or never say anything.
@Suite(.timeLimit(.minutes(2)))
struct SilentPeerTests {
    private var impatient: TransportLimits {
        var limits = TransportLimits()
        limits.keepaliveInterval = .milliseconds(100)
        limits.keepaliveTimeout = .milliseconds(200)
        limits.handshakeTimeout = .seconds(1)
        return limits
    }

    @Test func `a server drops a client that never speaks`() async throws {
        let listener = try await Twin.tcp.make(impatient).listen(
            host: "127.0.0.1", port: 0, handlers: TestService.handlers)
        let peer = try RawPeer.connect(port: listener.port)
        // What came before the end is the server's settings and nothing more.
        #expect(await peer.readToEnd().count < 200)
        await listener.shutdown(grace: .zero)
    }

    @Test func `a server drops a client that stops within the preface`() async throws {
        let listener = try await Twin.tcp.make(impatient).listen(
            host: "127.0.0.1", port: 0, handlers: TestService.handlers)
        let peer = try RawPeer.connect(port: listener.port)
        await peer.write(Array("PRI * HTTP/2.0\r\n\r".utf8))
        #expect(await peer.readToEnd().count < 200)
        await listener.shutdown(grace: .zero)
    }

    @Test func `a server finds a client that went silent and ends its calls`() async throws {
        let seen = Signal<RPCError?>()
        let listener = try await Twin.tcp.make(impatient).listen(
            host: "127.0.0.1", port: 0,
            handlers: [
                TestService.hang: { stream in
                    seen.send(await status { for try await _ in stream.messages {} })
                }
            ])
        let peer = try RawHTTP2Peer(.connect(port: listener.port), role: .client)
        _ = try peer.session.submitRequest(
            [
                HTTP2Header(":method", "POST"), HTTP2Header(":scheme", "http"),
                HTTP2Header(":path", TestService.hang.path), HTTP2Header(":authority", "here"),
                HTTP2Header("te", "trailers"), HTTP2Header("content-type", "application/grpc"),
            ], endStream: false)
        try await peer.flush()
        _ = try await peer.event { $0 == .settings }
        // From here on the peer answers no ping, while its socket stays open.
        let error = await seen.wait() ?? nil
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("silent") == true)
        await listener.shutdown(grace: .zero)
    }

    @Test func `a client finds a server that went silent`() async throws {
        let (door, port) = try RawPeer.listen()
        let accepted = Task {
            let peer = try RawHTTP2Peer(try await door.accept(), role: .server)
            try await peer.flush()
            return peer.socket
        }
        let connection = try await Twin.tcp.make(impatient).connect(
            host: "127.0.0.1", port: port, timeout: .seconds(10))
        let socket = try await accepted.value
        let reason = await connection.waitUntilClosed()
        #expect(reason.code == .unavailable)
        #expect(reason.message.contains("127.0.0.1:\(port) has been silent"))
        withExtendedLifetime(socket) {}
    }

    @Test func `a client gives up on a server that never finishes the handshake`() async throws {
        let (door, port) = try RawPeer.listen()
        let error = await status {
            _ = try await Twin.tcp.make().connect(host: "127.0.0.1", port: port, timeout: .milliseconds(200))
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("handshake") == true)
        withExtendedLifetime(door) {}
    }

    @Test func `peers that answer pings are kept`() async throws {
        var limits = impatient
        limits.handshakeTimeout = .seconds(10)
        limits.keepaliveTimeout = .seconds(30)
        let pair = try await Pair(Twin.tcp.make(limits))
        let stream = try await pair.connection.call(TestService.echo, timeout: nil)
        // Several intervals without a word from either side.
        try await Task.sleep(for: .milliseconds(600))
        try await stream.send([5])
        var messages = stream.messages.makeAsyncIterator()
        #expect(try await messages.next() == [5])
        await pair.end()
    }

    @Test func `a client that does not read stops its server's sending and is dropped for its silence`() async throws {
        let seen = Signal<RPCError?>()
        let listener = try await Twin.tcp.make(impatient).listen(
            host: "127.0.0.1", port: 0,
            handlers: [
                TestService.hang: { stream in
                    seen.send(
                        await status {
                            for _ in 0..<10_000 { try await stream.send([UInt8](repeating: 1, count: 1 << 20)) }
                        })
                }
            ])
        let peer = try RawHTTP2Peer(.connect(port: listener.port), role: .client)
        _ = try peer.session.submitRequest(
            [
                HTTP2Header(":method", "POST"), HTTP2Header(":scheme", "http"),
                HTTP2Header(":path", TestService.hang.path), HTTP2Header(":authority", "here"),
                HTTP2Header("te", "trailers"), HTTP2Header("content-type", "application/grpc"),
            ], endStream: true)
        try await peer.flush()
        // The call did not run to its end: 10 GiB never left this process, and the handler was told.
        #expect(await seen.wait()??.code == .unavailable)
        await listener.shutdown(grace: .zero)
    }
}
