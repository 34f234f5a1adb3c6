import Synchronization
import TestSupport
import Testing
import Transport

/// Floods over real sockets: they cost little memory, and other connections do not notice. Each prints what it cost.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct SocketFloodTests {
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// What an attacker prepares at once, in bytes.
    private static let portion = 1 << 16

    private static func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8]) -> [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
            + (0..<4).map { UInt8(stream >> (24 - 8 * $0) & 255) } + payload
    }

    /// The preface, and settings of which the first may be a stream window of 0.
    private static func hello(windowIsClosed: Bool = false) -> [UInt8] {
        preface + frame(4, 0, 0, windowIsClosed ? [0, 4, 0, 0, 0, 0] : []) + frame(4, 1, 0, [])
    }

    /// A call's header block: literal fields that enter no table (RFC 7541, section 6.2.2).
    private static func block(_ method: RPCMethod) -> [UInt8] {
        let fields = [
            (":method", "POST"), (":scheme", "http"), (":path", method.path), (":authority", "here"),
            ("te", "trailers"), ("content-type", "application/grpc"),
        ]
        var block: [UInt8] = []
        for (name, value) in fields {
            block.append(0)
            for text in [name, value] {
                block.append(UInt8(text.utf8.count))
                block.append(contentsOf: text.utf8)
            }
        }
        return block
    }

    /// Runs an attack on a listener to which another client is connected that goes on calling. Prints the most memory
    /// that the whole process, attacker included, had beyond what it had before, and bounds it.
    private func attack(
        _ name: String, _ limits: TransportLimits = TransportLimits(),
        handlers: [RPCMethod: RPCHandler] = TestService.handlers, memoryLimit: Int = 48 << 20,
        _ body: (_ port: Int) async throws -> Void
    ) async throws {
        let listener = try await Twin.tcp.make(limits).listen(host: "127.0.0.1", port: 0, handlers: handlers)
        let standing = try await Twin.tcp.make().connect(
            host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        #expect(try await standing.unary(TestService.echo, [7], timeout: .seconds(30)) == [7])
        let before = ProcessMemory.residentByteCount
        let isOver = Mutex(false)
        let bystander = Task {
            var (callCount, most) = (0, 0)
            while !isOver.withLock({ $0 }) {
                guard try await standing.unary(TestService.echo, [8], timeout: .seconds(30)) == [8] else { break }
                callCount += 1
                most = max(most, ProcessMemory.residentByteCount)
                try await Task.sleep(for: .milliseconds(5))
            }
            return (callCount, most)
        }
        do {
            try await body(listener.port)
        } catch {
            bystander.cancel()
            throw error
        }
        isOver.withLock { $0 = true }
        let (callCount, most) = try await bystander.value
        let growth = max(most, ProcessMemory.residentByteCount) - before
        print("flood \(name): at most \(growth >> 20) MiB more; a bystander's \(callCount) calls were all answered")
        #expect(growth < memoryLimit, "\(name) cost \(growth) bytes")
        #expect(try await standing.unary(TestService.echo, [9], timeout: .seconds(30)) == [9])
        await standing.close()
        await listener.shutdown(grace: .zero)
    }

    /// Sends until all is sent or the other side is gone, while somebody reads what comes.
    private func send(_ peer: RawPeer, upTo count: Int, _ next: (Int) -> [UInt8]) async -> Bool {
        let reader = Task { await peer.readToEnd(limit: 1) }
        var bytes: [UInt8] = []
        var isTaken = true
        for index in 0..<count where isTaken {
            bytes += next(index)
            guard bytes.count >= Self.portion || index == count - 1 else { continue }
            isTaken = await peer.write(bytes)
            bytes.removeAll(keepingCapacity: true)
        }
        peer.endWriting()
        _ = await reader.value
        return isTaken
    }

    @Test func `300 clients that speak a byte at a time are dropped`() async throws {
        var limits = TransportLimits()
        limits.handshakeTimeout = .milliseconds(500)
        try await attack("slow-loris, preface", limits) { port in
            let peers = try (0..<300).map { _ in try RawPeer.connect(port: port) }
            for byte in Self.preface {
                for peer in peers { await peer.write([byte]) }
                try await Task.sleep(for: .milliseconds(50))
            }
            for peer in peers { #expect(await peer.readToEnd().count < 256) }
        }
    }

    @Test func `200 clients whose header block never ends are dropped`() async throws {
        var limits = TransportLimits()
        limits.firstCallTimeout = .milliseconds(500)
        try await attack("slow-loris, headers", limits) { port in
            let peers = try (0..<200).map { _ in try RawPeer.connect(port: port) }
            for peer in peers {
                await peer.write(Self.hello() + Self.frame(1, 0, 1, Array(Self.block(TestService.echo).prefix(20))))
            }
            for _ in 0..<20 {
                // CONTINUATION frames of one byte each.
                for peer in peers { await peer.write(Self.frame(9, 0, 1, [0])) }
                try await Task.sleep(for: .milliseconds(50))
            }
            for peer in peers { #expect(await peer.readToEnd().count < 256) }
        }
    }

    @Test func `a client that takes nothing stops the answers to its 64 calls`() async throws {
        let (endings, ended) = AsyncStream<RPCError?>.makeStream()
        let flow = RPCMethod(service: "phalanx.test.Test", name: "Flow")
        let message = [UInt8](repeating: 1, count: 1 << 16)
        var handlers = TestService.handlers
        handlers[flow] = { stream in
            ended.yield(await status { for _ in 0..<10_000 { try await stream.send(message) } })
        }
        // 40 GiB would be sent; the bound is what each call may have waiting.
        let limits = TransportLimits()
        let bound = 64 * (limits.outboundBufferByteCount + 2 * message.count) + 48 << 20
        try await attack("window exhaustion", limits, handlers: handlers, memoryLimit: bound) { port in
            let peer = try RawPeer.connect(port: port)
            await peer.write(Self.hello(windowIsClosed: true))
            for call in 0..<64 { await peer.write(Self.frame(1, 5, 2 * call + 1, Self.block(flow))) }
            try await Task.sleep(for: .seconds(1))
            peer.endWriting()
            var count = 0
            for await ending in endings {
                #expect(ending != nil, "a call was answered to its end")
                count += 1
                if count == 64 { break }
            }
        }
    }

    @Test func `100,000 calls that are reset at once end their connection`() async throws {
        try await attack("rapid reset") { port in
            let block = Self.block(TestService.hang)
            let peer = try RawPeer.connect(port: port)
            await peer.write(Self.hello())
            let isTaken = await send(peer, upTo: 100_000) {
                Self.frame(1, 4, 2 * $0 + 1, block) + Self.frame(3, 0, 2 * $0 + 1, [0, 0, 0, 8])
            }
            #expect(!isTaken, "all were taken")
        }
    }

    @Test func `header blocks without end or measure end their connections`() async throws {
        try await attack("oversized headers") { port in
            // A field of 16,000 bytes, again and again.
            let field: [UInt8] = [0, 1, 0x61, 0x7f, 0x81, 0x7c] + [UInt8](repeating: 0x62, count: 16_000)
            for _ in 0..<20 {
                let peer = try RawPeer.connect(port: port)
                await peer.write(Self.hello())
                let isTaken = await send(peer, upTo: 10_000) { Self.frame($0 == 0 ? 1 : 9, 0, 1, field) }
                #expect(!isTaken, "160 MB of headers were taken")
            }
        }
    }

    @Test func `of a million calls opened at once only as many run as are allowed`() async throws {
        let running = Mutex((now: 0, most: 0))
        var handlers = TestService.handlers
        handlers[TestService.hang] = { stream in
            running.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            defer { running.withLock { $0.now -= 1 } }
            for try await _ in stream.messages {}
        }
        try await attack("a million streams", handlers: handlers) { port in
            let block = Self.block(TestService.hang)
            let peer = try RawPeer.connect(port: port)
            await peer.write(Self.hello())
            _ = await send(peer, upTo: 1_000_000) { Self.frame(1, 4, 2 * $0 + 1, block) }
        }
        let most = running.withLock { $0.most }
        #expect(most > 0 && most <= TransportLimits().maxCallsPerConnection, "\(most) ran at once")
    }
}
