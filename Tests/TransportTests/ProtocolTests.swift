import HTTP2
import Testing
import Transport

/// What nodes say to peers that do not behave.
@Suite(.timeLimit(.minutes(2)))
struct ProtocolTests {
    private static let request = [
        HTTP2Header(":method", "POST"), HTTP2Header(":scheme", "http"),
        HTTP2Header(":path", "/phalanx.test.Test/Echo"), HTTP2Header(":authority", "here"),
        HTTP2Header("te", "trailers"), HTTP2Header("content-type", "application/grpc"),
    ]

    private func listener(_ limits: TransportLimits = TransportLimits()) async throws -> any RPCListener {
        try await Twin.tcp.make(limits).listen(host: "127.0.0.1", port: 0, handlers: TestService.handlers)
    }

    private func changed(_ name: String, _ value: String?) -> [HTTP2Header] {
        Self.request.compactMap { $0.name == name ? value.map { HTTP2Header(name, $0) } : $0 }
            + (Self.request.contains { $0.name == name } ? [] : value.map { [HTTP2Header(name, $0)] } ?? [])
    }

    /// The first header block that a request with these fields (and this body) is answered with.
    private func answer(_ fields: [HTTP2Header], body: [UInt8]? = nil) async throws -> [HTTP2Header]? {
        let listener = try await listener()
        let peer = try RawHTTP2Peer(.connect(port: listener.port), role: .client)
        let stream = try peer.session.submitRequest(fields, endStream: body == nil)
        if let body { try peer.session.send(stream: stream, [body]) }
        let answer = try await peer.headers()
        // Whatever was wrong with that call, the connection still serves.
        let next = try peer.session.submitRequest(Self.request, endStream: true)
        let healthy = try await peer.event {
            if case .headers(let stream, let fields, _) = $0 {
                stream == next && fields.first("grpc-status") == "0"
            } else {
                false
            }
        }
        #expect(healthy != nil)
        await listener.shutdown(grace: .zero)
        return answer
    }

    @Test func `a content type that is not gRPC gets HTTP 415`() async throws {
        #expect(try await answer(changed("content-type", "application/json"))?.first(":status") == "415")
        #expect(try await answer(changed("content-type", "application/grpcish"))?.first(":status") == "415")
        #expect(try await answer(changed("content-type", nil))?.first(":status") == "415")
    }

    @Test func `any gRPC content type is taken and given back`() async throws {
        let fields = try await answer(changed("content-type", "application/grpc+proto"))
        #expect(fields?.first("grpc-status") == "0")
        #expect(fields?.first("content-type") == "application/grpc+proto")
    }

    @Test func `a GET gets HTTP 405`() async throws {
        #expect(try await answer(changed(":method", "GET"))?.first(":status") == "405")
    }

    @Test func `a request without te is told why`() async throws {
        #expect(try await answer(changed("te", nil))?.first("grpc-status") == "13")
    }

    @Test func `paths that name no method are unimplemented`() async throws {
        for path in ["/", "/x", "/a/b/c", "/a/", "//b", "/phalanx.test.Test/Echo/"] {
            #expect(try await answer(changed(":path", path))?.first("grpc-status") == "12", "\(path)")
        }
    }

    @Test func `a malformed timeout is told`() async throws {
        for value in ["", "5", "S", "-1S", "123456789S", "1x", "1 S"] {
            #expect(try await answer(changed("grpc-timeout", value))?.first("grpc-status") == "13", "\(value)")
        }
    }

    @Test func `a timeout in hours beyond count is taken`() async throws {
        #expect(try await answer(changed("grpc-timeout", "99999999H"))?.first("grpc-status") == "0")
    }

    @Test func `compression is refused with the right status`() async throws {
        #expect(try await answer(changed("grpc-encoding", "gzip"))?.first("grpc-status") == "12")
        #expect(try await answer(Self.request, body: [1, 0, 0, 0, 1, 9])?.first("grpc-status") == "13")
        #expect(try await answer(Self.request, body: [7, 0, 0, 0, 1, 9])?.first("grpc-status") == "13")
    }

    @Test func `a length over the limit is refused at its prefix`() async throws {
        #expect(try await answer(Self.request, body: [0, 0xff, 0xff, 0xff, 0xff])?.first("grpc-status") == "8")
    }

    @Test func `headers over the limits are refused as a status`() async throws {
        let fields = Self.request + [HTTP2Header("x", String(repeating: "a", count: 20_000))]
        #expect(try await answer(fields)?.first("grpc-status") == "8")
    }

    @Test func `a request that ends within a message is told`() async throws {
        let listener = try await listener()
        let peer = try RawHTTP2Peer(.connect(port: listener.port), role: .client)
        let stream = try peer.session.submitRequest(Self.request, endStream: false)
        try peer.session.send(stream: stream, [[0, 0, 0, 0, 9, 1, 2]])
        try peer.session.end(stream: stream)
        #expect(try await peer.headers()?.first("grpc-status") == "13")
        await listener.shutdown(grace: .zero)
    }

    @Test func `garbage closes the connection and nothing else`() async throws {
        let listener = try await listener()
        let long = String(repeating: "x", count: 70_000)
        for garbage in ["GET / HTTP/1.1\r\nHost: here\r\n\r\n", "\u{0}\u{1}\u{2}", long] {
            let peer = try RawPeer.connect(port: listener.port)
            await peer.write(Array(garbage.utf8))
            peer.endWriting()
            #expect(await peer.readToEnd().count < 1000)
        }
        let truncated = try RawPeer.connect(port: listener.port)
        await truncated.write(Array("PRI * HTTP/2.0\r\n\r".utf8))
        truncated.endWriting()
        #expect(await truncated.readToEnd().count < 1000)

        let connection = try await Twin.tcp.make().connect(
            host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        #expect(try await connection.unary(TestService.echo, [7], timeout: .seconds(30)) == [7])
        await connection.close()
        await listener.shutdown(grace: .zero)
    }

    @Test func `frames that break the protocol get a farewell with the reason`() async throws {
        let listener = try await listener()
        let peer = try RawHTTP2Peer(.connect(port: listener.port), role: .client)
        try await peer.flush()
        _ = try await peer.event { $0 == .settings }
        // DATA on a stream that was never opened.
        await peer.socket.write([0, 0, 1, 0, 0, 0, 0, 0, 9, 42])
        let farewell = try await peer.event { if case .goAway = $0 { true } else { false } }
        guard case .goAway(_, let code, _) = farewell else {
            Issue.record("no farewell")
            return
        }
        #expect(code == .protocolError)
        #expect(await peer.socket.readToEnd().count < 1000)
        await listener.shutdown(grace: .zero)
    }

    @Test func `a server that is not gRPC is named by the client`() async throws {
        let (door, port) = try RawPeer.listen()
        let server = Task {
            let peer = try RawHTTP2Peer(try await door.accept(), role: .server)
            let opened = try await peer.event { if case .headers = $0 { true } else { false } }
            guard case .headers(let stream, _, _) = opened else { return }
            try peer.session.submitResponse(stream: stream, [HTTP2Header(":status", "503")], endStream: true)
            try await peer.flush()
            _ = try await peer.event { _ in false }
        }
        let connection = try await Twin.tcp.make().connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
        let error = await status { _ = try await connection.unary(TestService.echo, [], timeout: .seconds(30)) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("503") == true)
        await connection.close()
        _ = await server.result
    }

    @Test func `resets have their statuses`() async throws {
        let codes: [(HTTP2ErrorCode, RPCError.Code)] = [
            (.refusedStream, .unavailable), (.cancel, .cancelled), (.enhanceYourCalm, .resourceExhausted),
            (.inadequateSecurity, .permissionDenied), (.internalError, .internalError),
        ]
        let (door, port) = try RawPeer.listen()
        let server = Task {
            let peer = try RawHTTP2Peer(try await door.accept(), role: .server)
            for (code, _) in codes {
                let opened = try await peer.event { if case .headers = $0 { true } else { false } }
                guard case .headers(let stream, _, _) = opened else { return }
                try peer.session.reset(stream: stream, code: code)
            }
            _ = try await peer.event { _ in false }
        }
        let connection = try await Twin.tcp.make().connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
        for (code, expected) in codes {
            let stream = try await connection.call(TestService.echo, timeout: .seconds(30))
            let error = await status { for try await _ in stream.messages {} }
            #expect(error?.code == expected, "\(code)")
        }
        await connection.close()
        _ = await server.result
    }
}
