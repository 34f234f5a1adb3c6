import HTTP2
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

    private func damage(_ bytes: [UInt8], keeping prefix: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            guard bytes.count > prefix + 1 else { break }
            let place = Int.random(in: prefix..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...20, using: &random)))
            case 3:
                let count = min(bytes.count - place, Int.random(in: 1...60, using: &random))
                bytes.insert(contentsOf: bytes[place..<place + count], at: place)
            case 4:
                let noise = (0..<Int.random(in: 1...30, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                bytes.insert(contentsOf: noise, at: place)
            default: bytes.removeSubrange(place...)
            }
        }
        return bytes
    }

    /// Feeds bytes in portions of any size, acting on events as an application would. Returns the bytes given out.
    private func feed(_ bytes: [UInt8], to session: HTTP2Session, _ random: inout SeededGenerator) -> Int {
        var output = 0
        var rest = bytes[...]
        do {
            while !rest.isEmpty, !session.isOver {
                let portion = rest.prefix(Int.random(in: 1...400, using: &random))
                rest = rest.dropFirst(portion.count)
                try session.receive(Array(portion))
                output += try session.takeOutput(limitByteCount: 1 << 16)?.count ?? 0
                for event in session.takeEvents() {
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
                output += try session.takeOutput(limitByteCount: 1 << 16)?.count ?? 0
            }
        } catch {
            output += (try? session.takeOutput(limitByteCount: 1 << 16))??.count ?? 0
        }
        return output
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `damaged sessions crash nobody and get little for an answer`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let recorded = try record()
        for index in 0..<1500 {
            let server = try HTTP2Session(role: .server)
            let toServer = damage(recorded.client, keeping: index % 2 == 0 ? 24 : 0, &random)
            let fromServer = feed(toServer, to: server, &random)
            #expect(fromServer <= 1 << 16, "server, seed \(seed), case \(index)")

            let client = try HTTP2Session(role: .client)
            for stream in 0..<6 { _ = try client.submitRequest(Peers.request, endStream: stream % 2 == 0) }
            let toClient = damage(recorded.server, keeping: 0, &random)
            let fromClient = feed(toClient, to: client, &random)
            #expect(fromClient <= 1 << 16, "client, seed \(seed), case \(index)")
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
            #expect(output < 4096, "seed \(seed), case \(index)")
        }
    }
}
