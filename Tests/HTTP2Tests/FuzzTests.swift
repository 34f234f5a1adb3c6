import HTTP2
import TestSupport
import Testing

/// Valid sessions, recorded, damaged and replayed: nothing may crash, and little may come out.
struct FuzzTests {
    /// What both sides of an ordinary session sent.
    private func record() throws -> (client: [UInt8], server: [UInt8]) {
        let peers = try Peers()
        for index in 0..<6 {
            let stream = try peers.client.submitRequest(
                Peers.request + [HTTP2Header("x-index", "\(index)")], endStream: index == 5)
            if index < 5 {
                try peers.client.send(stream: stream, [[UInt8](repeating: UInt8(index), count: 40 * index)])
            }
            try peers.exchange()
            try peers.server.submitResponse(stream: stream, Peers.response, endStream: false)
            try peers.server.send(stream: stream, [[UInt8](repeating: 3, count: 100)])
            if index == 3 { try peers.client.reset(stream: stream, code: .cancel) }
            if index != 3 { try peers.server.end(stream: stream, trailers: [HTTP2Header("grpc-status", "0")]) }
            if index < 3 { try peers.client.end(stream: stream) }
            try peers.exchange()
            try peers.client.ping(payload: UInt64(index))
            try peers.exchange()
        }
        try peers.server.goAway(code: .noError, message: "bye")
        try peers.exchange()
        return (peers.fromClient, peers.fromServer)
    }

    /// What a session did with the bytes that it was fed.
    private struct Fed {
        var outputByteCount = 0
        var events: [HTTP2Event] = []
        var end: HTTP2Error?
    }

    /// Feeds bytes in portions of any size, acting on events as an application would.
    private func feed(_ bytes: [UInt8], to session: HTTP2Session, _ random: inout SeededGenerator) -> Fed {
        var fed = Fed()
        var rest = bytes[...]
        do {
            while !rest.isEmpty, !session.isOver {
                let portion = rest.prefix(Int.random(in: 1...400, using: &random))
                rest = rest.dropFirst(portion.count)
                try session.receive(Array(portion))
                fed.outputByteCount += try session.takeOutput(limitByteCount: 1 << 16)?.count ?? 0
                for event in session.takeEvents() {
                    fed.events.append(event)
                    switch event {
                    case .headers(let stream, _, _) where session.role == .server:
                        try? session.submitResponse(stream: stream, Peers.response, endStream: false)
                        _ = try? session.send(stream: stream, [[1, 2, 3]])
                    case .data(let stream, let bytes):
                        try? session.consume(stream: stream, byteCount: bytes.count)
                    case .endOfStream(let stream):
                        try? session.end(stream: stream, trailers: [HTTP2Header("grpc-status", "0")])
                    default: break
                    }
                }
                fed.outputByteCount += try session.takeOutput(limitByteCount: 1 << 16)?.count ?? 0
            }
        } catch {
            fed.end = error as? HTTP2Error
            fed.outputByteCount += (try? session.takeOutput(limitByteCount: 1 << 16))??.count ?? 0
        }
        return fed
    }

    /// What happened, in a few words: which events came, roughly how often, and what ended the session.
    private static func outcome(_ session: HTTP2Session, _ fed: Fed) -> String {
        let kinds = fed.events.map { event in
            switch event {
            case .headers: "headers"
            case .headersTooLarge: "too large"
            case .data: "data"
            case .endOfStream: "end"
            case .localEndWritten, .bodyWritten: "written"
            case .closed(_, let code): "closed \(code.rawValue)"
            case .settings: "settings"
            case .pong: "pong"
            case .goAway(_, let code, _): "go away \(code.rawValue)"
            }
        }
        let counts = Dictionary(kinds.map { ($0, 1) }, uniquingKeysWith: +).mapValues { min($0, 3) }
        let end = fed.end.map { "\($0.kind)" } ?? (session.isOver ? "over" : "open")
        return "\(end) " + counts.map { "\($0.key) x \($0.value)" }.sorted().joined(separator: ", ")
    }

    private struct TooMuch: Error { let byteCount: Int }

    static func fuzz(_ role: HTTP2Session.Role) throws {
        let recorded = try FuzzTests().record()
        var fuzzer = try Fuzzer(
            "http2-\(role)", seeds: [role == .server ? recorded.client : recorded.server])
        try fuzzer.run(keeping: role == .server ? 24 : 0) { input in
            let session = try HTTP2Session(role: role)
            if role == .client {
                for stream in 0..<6 { _ = try session.submitRequest(Peers.request, endStream: stream % 2 == 0) }
            }
            // Of the input alone, so that it can be replayed by itself.
            var portions = SeededGenerator(seed: UInt64(input.count))
            let fed = FuzzTests().feed(input, to: session, &portions)
            guard fed.outputByteCount <= 1 << 16 + 16 * input.count else {
                throw TooMuch(byteCount: fed.outputByteCount)
            }
            return outcome(session, fed)
        }
    }

    @Test func `a server survives whatever clients send, and answers little`() async {
        await #expect(processExitsWith: .success, "the input: \(Fuzzer.inputPath(of: "http2-server"))") {
            try FuzzTests.fuzz(.server)
        }
    }

    @Test func `a client survives whatever servers send, and answers little`() async {
        await #expect(processExitsWith: .success, "the input: \(Fuzzer.inputPath(of: "http2-client"))") {
            try FuzzTests.fuzz(.client)
        }
    }

    @Test func `an undamaged recording is understood when cut anywhere`() throws {
        let recorded = try record()
        for size in [1, 2, 3, 7, 64, 1000] {
            let server = try HTTP2Session(role: .server)
            var rest = recorded.client[...]
            while !rest.isEmpty {
                try server.receive(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            let opened = server.takeEvents().count { if case .headers = $0 { true } else { false } }
            #expect(opened == 6, "portions of \(size)")
        }
    }

    @Test(arguments: [11, 12] as [UInt64])
    func `noise after the preface ends a session`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for index in 0..<500 {
            let server = try HTTP2Session(role: .server)
            let noise = (0..<600).map { _ in UInt8.random(in: 0...255, using: &random) }
            let output = feed(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + noise, to: server, &random)
                .outputByteCount
            #expect(output < 4096, "seed \(seed), case \(index)")
        }
    }
}
