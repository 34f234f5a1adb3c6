import HTTP2
import Testing

struct HTTP2SessionTests {
    @Test func `a request and its answer cross with bodies and trailers`() throws {
        let peers = try Peers()
        let stream = try peers.client.submitRequest(Peers.request, endStream: false)
        try peers.client.send(stream: stream, [[1, 2], [], [3]])
        try peers.client.end(stream: stream)
        try peers.exchange()
        let seen = peers.take().server
        #expect(seen.contains(.settings))
        #expect(seen.contains(.headers(stream: stream, fields: Peers.request, endStream: false)))
        #expect(seen.contains(.data(stream: stream, bytes: [1, 2, 3])))
        #expect(seen.contains(.endOfStream(stream: stream)))

        try peers.server.submitResponse(stream: stream, Peers.response, endStream: false)
        try peers.exchange()
        try peers.server.send(stream: stream, [[4]])
        try peers.exchange()
        let trailers = [HTTP2Header("grpc-status", "0")]
        try peers.server.end(stream: stream, trailers: trailers)
        try peers.exchange()
        let answered = peers.take().client.filter { if case .settings = $0 { false } else { true } }
        #expect(
            answered.suffix(4) == [
                .headers(stream: stream, fields: Peers.response, endStream: false),
                .data(stream: stream, bytes: [4]),
                .headers(stream: stream, fields: trailers, endStream: true),
                .closed(stream: stream, code: .noError),
            ])
    }

    @Test func `trailers follow at once when nothing waits`() throws {
        let peers = try Peers()
        let stream = try peers.client.submitRequest(Peers.request, endStream: true)
        try peers.exchange()
        try peers.server.submitResponse(stream: stream, Peers.response, endStream: false)
        try peers.server.end(stream: stream, trailers: [HTTP2Header("grpc-status", "5")])
        try peers.exchange()
        #expect(
            peers.take().client.contains(
                .headers(stream: stream, fields: [HTTP2Header("grpc-status", "5")], endStream: true)))
    }

    @Test func `a sender stops at the window and goes on when bytes are consumed`() throws {
        var limits = HTTP2Limits()
        limits.streamWindowByteCount = 100_000
        limits.connectionWindowByteCount = 1 << 20
        let peers = try Peers(server: limits)
        try peers.exchange()
        let stream = try peers.client.submitRequest(Peers.request, endStream: false)
        #expect(try peers.client.send(stream: stream, [[UInt8](repeating: 7, count: 250_000)]) == 250_000)
        try peers.exchange()
        #expect(peers.client.pendingByteCount(stream: stream) == 150_000)
        try peers.exchange()
        #expect(peers.client.pendingByteCount(stream: stream) == 150_000)
        var received = 0
        for _ in 0..<10 {
            var fresh = 0
            for case .data(_, let bytes) in peers.take().server { fresh += bytes.count }
            received += fresh
            try peers.server.consume(stream: stream, byteCount: fresh)
            try peers.exchange()
        }
        #expect(received == 250_000)
        #expect(peers.client.pendingByteCount(stream: stream) == 0)
    }

    @Test func `frames grow to what the peer allows`() throws {
        var limits = HTTP2Limits()
        limits.streamWindowByteCount = 8 << 20
        limits.connectionWindowByteCount = 8 << 20
        let peers = try Peers(server: limits)
        try peers.exchange()
        let stream = try peers.client.submitRequest(Peers.request, endStream: false)
        try peers.client.send(stream: stream, [[UInt8](repeating: 7, count: 3 << 20)])
        let before = peers.fromClient.count
        try peers.exchange()
        // Three frames of 1 MiB with nine bytes of header each, and one frame of headers.
        #expect(peers.fromClient.count - before < (3 << 20) + 4 * 9 + 200)
        #expect(peers.client.pendingByteCount(stream: stream) == 0)
    }

    @Test func `output comes in bounded portions`() throws {
        var limits = HTTP2Limits()
        limits.streamWindowByteCount = 8 << 20
        limits.connectionWindowByteCount = 8 << 20
        limits.maxFrameByteCount = 16 << 10
        let peers = try Peers(server: limits)
        try peers.exchange()
        let stream = try peers.client.submitRequest(Peers.request, endStream: false)
        try peers.client.send(stream: stream, [[UInt8](repeating: 7, count: 4 << 20)])
        while let portion = try peers.client.takeOutput(limitByteCount: 100_000) {
            #expect(portion.count <= 100_000 + (16 << 10) + 9)
        }
        #expect(peers.client.pendingByteCount(stream: stream) == 0)
    }

    @Test func `a raised window takes more at once`() throws {
        let peers = try Peers()
        let stream = try peers.client.submitRequest(Peers.request, endStream: false)
        try peers.exchange()
        try peers.server.raiseWindow(stream: stream, streamByteCount: 32 << 20, connectionByteCount: 32 << 20)
        try peers.exchange()
        try peers.client.send(stream: stream, [[UInt8](repeating: 7, count: 32 << 20)])
        try peers.exchange()
        #expect(peers.client.pendingByteCount(stream: stream) == 0)
    }

    @Test func `a reset reaches the other side with its code`() throws {
        let peers = try Peers()
        let stream = try peers.client.submitRequest(Peers.request, endStream: false)
        try peers.exchange()
        try peers.client.reset(stream: stream, code: .cancel)
        try peers.exchange()
        let seen = peers.take()
        #expect(seen.server.contains(.closed(stream: stream, code: .cancel)))
        #expect(seen.client.contains(.closed(stream: stream, code: .cancel)))
        #expect(throws: HTTP2Error.self) { try peers.client.send(stream: stream, [[1]]) }
    }

    @Test func `a ping is answered and a farewell understood`() throws {
        let peers = try Peers()
        try peers.exchange()
        try peers.client.ping(payload: 0x0102_0304_0506_0708)
        try peers.server.goAway(code: .noError, message: "going")
        try peers.exchange()
        let seen = peers.take().client
        #expect(seen.contains(.pong(payload: 0x0102_0304_0506_0708)))
        #expect(seen.contains(.goAway(lastStream: 0, code: .noError, message: "going")))
    }

    @Test func `headers over the limits are reported without their text`() throws {
        let peers = try Peers()
        let large = Peers.request + [HTTP2Header("x", String(repeating: "a", count: 20_000))]
        let first = try peers.client.submitRequest(large, endStream: true)
        let many = Peers.request + (0..<101).map { HTTP2Header("x\($0)", "") }
        let second = try peers.client.submitRequest(many, endStream: true)
        try peers.exchange()
        let seen = peers.take().server
        #expect(seen.contains(.headersTooLarge(stream: first, endStream: true)))
        #expect(seen.contains(.headersTooLarge(stream: second, endStream: true)))
    }

    @Test func `streams above the limit wait at the client`() throws {
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = 2
        let peers = try Peers(server: limits)
        try peers.exchange()
        for _ in 0..<5 { _ = try peers.client.submitRequest(Peers.request, endStream: false) }
        try peers.exchange()
        var opened = 0
        for case .headers in peers.take().server { opened += 1 }
        #expect(opened == 2)
    }

    @Test func `a stream is not answered twice`() throws {
        let peers = try Peers()
        let stream = try peers.client.submitRequest(Peers.request, endStream: true)
        try peers.exchange()
        try peers.server.submitResponse(stream: stream, Peers.response, endStream: false)
        #expect(throws: HTTP2Error.self) {
            try peers.server.submitResponse(stream: stream, Peers.response, endStream: false)
        }
        try peers.server.end(stream: stream)
        #expect(throws: HTTP2Error.self) { try peers.server.end(stream: stream) }
    }

    @Test func `bytes that are not HTTP2 are named`() throws {
        let server = try HTTP2Session(role: .server)
        let error = #expect(throws: HTTP2Error.self) {
            try server.receive(Array("GET / HTTP/1.1\r\nHost: here\r\n\r\n".utf8))
        }
        #expect(error?.kind == .badPreface)
    }
}
