import HTTP2
import Testing

struct FloodTests {
    private func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
            + (0..<4).map { UInt8(stream >> (24 - 8 * $0) & 255) } + payload
    }

    /// A server that has just shaken hands with a client whose further bytes are made by hand.
    private func server(_ limits: HTTP2Limits = HTTP2Limits()) throws -> HTTP2Session {
        let server = try HTTP2Session(role: .server, limits: limits)
        try server.receive(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0, []))
        _ = try server.takeOutput(limitByteCount: 1 << 20)
        return server
    }

    private func kind(_ body: () throws -> Void) -> HTTP2Error.Kind? {
        do {
            try body()
            return nil
        } catch {
            return (error as? HTTP2Error)?.kind
        }
    }

    @Test func `pings whose answers are not read end the session`() throws {
        let server = try server()
        let ping = frame(6, 0, 0, [UInt8](repeating: 0, count: 8))
        let found = kind { for _ in 0..<1000 { try server.receive(ping) } }
        #expect(found == .flood)
    }

    @Test func `endless pings end the session even if the answers are read`() throws {
        let server = try server()
        let ping = frame(6, 0, 0, [UInt8](repeating: 0, count: 8))
        let found = kind {
            for _ in 0..<100_000 {
                try server.receive(ping)
                _ = try server.takeOutput(limitByteCount: 1 << 20)
            }
        }
        #expect(found == .flood)
    }

    @Test func `endless settings end the session`() throws {
        let server = try server()
        let found = kind {
            for _ in 0..<100_000 {
                try server.receive(frame(4, 0, 0, []))
                _ = try server.takeOutput(limitByteCount: 1 << 20)
            }
        }
        #expect(found == .flood)
    }

    @Test func `rapid resets end the session`() throws {
        let peers = try Peers()
        try peers.exchange()
        let found = kind {
            for _ in 0..<10_000 {
                let stream = try peers.client.submitRequest(Peers.request, endStream: false)
                try peers.exchange()
                try peers.client.reset(stream: stream, code: .cancel)
                try peers.exchange()
            }
        }
        #expect(found == .flood)
    }

    @Test func `as many resets over time are no flood`() throws {
        var limits = HTTP2Limits()
        limits.resetBurst = 10
        limits.resetsPerSecond = 1
        let server = try HTTP2Session(role: .server, limits: limits)
        let client = try HTTP2Session(role: .client)
        for second in 0..<100 as Range<UInt64> {
            let stream = try client.submitRequest(Peers.request, endStream: false)
            for step in 0..<2 {
                if step == 1 { try client.reset(stream: stream, code: .cancel) }
                while let bytes = try client.takeOutput(limitByteCount: 1 << 20) {
                    // Sound because the span of an array of bytes is read as bytes.
                    try unsafe server.receive(bytes.span.bytes, nowNanoseconds: second * 1_000_000_000)
                }
                while let bytes = try server.takeOutput(limitByteCount: 1 << 20) { try client.receive(bytes) }
            }
        }
        #expect(server.takeEvents().count(where: { if case .closed = $0 { true } else { false } }) == 100)
    }

    @Test func `empty DATA frames without end are counted`() throws {
        let peers = try Peers()
        let stream = try peers.client.submitRequest(Peers.request, endStream: false)
        try peers.exchange()
        let found = kind {
            for _ in 0..<100_000 { try peers.server.receive(frame(0, 0, UInt32(stream), [])) }
        }
        #expect(found == .flood)
    }

    @Test func `an endless header block ends the session`() throws {
        let server = try server()
        // A literal field without indexing, repeated over CONTINUATION frames that never end.
        let field: [UInt8] = [0x00, 0x01, 0x61, 0x7f, 0x81, 0x01] + [UInt8](repeating: 0x62, count: 256)
        var output = 0
        let found = kind {
            try server.receive(frame(1, 0, 1, field))
            for _ in 0..<10_000 {
                try server.receive(frame(9, 0, 1, field))
                output += try server.takeOutput(limitByteCount: 1 << 20)?.count ?? 0
                if server.isOver { throw HTTP2Error(.flood, "over") }
            }
        }
        #expect(found != nil)
        #expect(output < 1 << 16)
    }
}
