import Synchronization
import Testing
import Transport

@Suite(.timeLimit(.minutes(2)))
struct FlowControlTests {
    @Test(arguments: Twin.allCases)
    func `a message of 64 MiB crosses a bulk call intact`(twin: Twin) async throws {
        let received = Signal<[UInt8]>()
        let pair = try await Pair(
            twin.make(),
            [
                Services.forward: { stream in
                    for try await message in stream.messages { received.send(message) }
                }
            ])
        var message = [UInt8](repeating: 0, count: 64 << 20)
        for index in stride(from: 0, to: message.count, by: 4099) { message[index] = UInt8(truncatingIfNeeded: index) }
        let stream = try await pair.connection.call(Services.forward, timeout: nil)
        try await stream.send(message)
        try await stream.finish()
        #expect(await received.wait() == message)
        for try await _ in stream.messages {}
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a sender waits for a reader that does not read`(twin: Twin) async throws {
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let total = Signal<Int>()
        let pair = try await Pair(
            twin.make(),
            [
                TestService.total: { stream in
                    for await _ in gate { break }
                    var count = 0
                    for try await message in stream.messages { count += message.count }
                    total.send(count)
                }
            ])
        let stream = try await pair.connection.call(TestService.total, timeout: nil)
        let sent = Mutex(0)
        let size = 1 << 20
        let sender = Task {
            for _ in 0..<64 {
                try await stream.send([UInt8](repeating: 1, count: size))
                sent.withLock { $0 += 1 }
            }
            try await stream.finish()
        }
        // Other calls on the connection go on while one is stuck; each gives the sender time to run away if it could.
        for _ in 0..<50 {
            let error = await status {
                let method = RPCMethod(service: "x.Y", name: "Z")
                _ = try await pair.connection.unary(method, [], timeout: .seconds(30))
            }
            #expect(error?.code == .unimplemented)
        }
        let limits = TransportLimits()
        let bound = 2 + (limits.callWindowByteCount + limits.outboundBufferByteCount) / size
        #expect(sent.withLock { $0 } <= bound)
        opener.yield()
        try await sender.value
        #expect(await total.wait() == 64 * size)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a call that is given up unread returns its window`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        // Together far more than the connection's window: without its return the later calls would stand still.
        for _ in 0..<40 {
            let stream = try await pair.connection.call(TestService.count, timeout: .seconds(60))
            try await stream.send([255])
            try await stream.finish()
            var messages = stream.messages.makeAsyncIterator()
            _ = try await messages.next()
            stream.cancel(RPCError(.cancelled, "enough"))
        }
        #expect(try await pair.connection.unary(TestService.echo, [7], timeout: .seconds(30)) == [7])
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a message over the limit is refused by its sender and by its receiver`(twin: Twin) async throws {
        var small = TransportLimits()
        small.maxMessageByteCount = 1000
        let pair = try await Pair(twin.make(small))
        let message = [UInt8](repeating: 1, count: 1001)
        let error = await status {
            _ = try await pair.connection.unary(TestService.echo, message, timeout: .seconds(30))
        }
        #expect(error?.code == .resourceExhausted)
        #expect(error?.message.contains("1001 bytes is larger than the limit of 1000") == true)
        let fits = [UInt8](repeating: 1, count: 1000)
        #expect(try await pair.connection.unary(TestService.echo, fits, timeout: .seconds(30)) == fits)
        await pair.end()
    }

    @Test func `a receiver refuses a message over its own limit before it is there`() async throws {
        var small = TransportLimits()
        small.maxMessageByteCount = 1000
        let listener = try await Twin.tcp.make(small).listen(
            host: "127.0.0.1", port: 0, handlers: TestService.handlers)
        let connection = try await Twin.tcp.make().connect(
            host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
        let error = await status {
            _ = try await connection.unary(
                TestService.echo, [UInt8](repeating: 1, count: 3_000_000), timeout: .seconds(30))
        }
        #expect(error?.code == .resourceExhausted)
        #expect(try await connection.unary(TestService.echo, [7], timeout: .seconds(30)) == [7])
        await connection.close()
        await listener.shutdown(grace: .zero)
    }
}
