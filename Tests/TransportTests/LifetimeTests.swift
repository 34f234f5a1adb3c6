import Testing
import Transport

@Suite(.timeLimit(.minutes(2)))
struct LifetimeTests {
    final class Canary: Sendable {}

    @Test(arguments: Twin.allCases)
    func `nothing outlives a shutdown`(twin: Twin) async throws {
        weak var watched: Canary?
        do {
            let canary = Canary()
            watched = canary
            let pair = try await Pair(
                twin.make(),
                [
                    TestService.echo: { stream in
                        for try await message in stream.messages { try await stream.send(message) }
                        withExtendedLifetime(canary) {}
                    },
                    TestService.hang: { stream in
                        for try await _ in stream.messages {}
                        withExtendedLifetime(canary) {}
                    },
                ])
            let hanging = try await pair.connection.call(TestService.hang, timeout: nil)
            try await hanging.send([1])
            _ = try await pair.connection.unary(TestService.echo, [1], timeout: .seconds(30))
            await pair.end()
        }
        // Event loops let go of the last closures a moment later.
        while watched != nil { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test(arguments: Twin.allCases)
    func `a forgotten connection closes when its calls have ended`(twin: Twin) async throws {
        let transport = twin.make()
        let ended = Signal<Void>()
        let listener = try await transport.listen(
            host: "127.0.0.1", port: 0,
            handlers: [
                TestService.echo: { stream in
                    for try await message in stream.messages { try await stream.send(message) }
                },
                TestService.hang: { stream in
                    _ = await status { for try await _ in stream.messages {} }
                    ended.send(())
                },
            ])
        func begin() async throws -> any RPCStream {
            let connection = try await transport.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
            return try await connection.call(TestService.echo, timeout: nil)
        }
        let stream = try await begin()
        // The call goes on although nobody holds the connection.
        try await stream.send([3])
        var messages = stream.messages.makeAsyncIterator()
        #expect(try await messages.next() == [3])
        try await stream.finish()
        #expect(try await messages.next() == nil)
        // With the last call the connection goes; a shutdown with a long grace has nothing to wait for.
        await listener.shutdown(grace: .seconds(3600))
    }

    @Test(arguments: Twin.allCases)
    func `a listener closes connections that never call`(twin: Twin) async throws {
        var limits = TransportLimits()
        limits.firstCallTimeout = .milliseconds(100)
        let transport = twin.make(limits)
        let listener = try await transport.listen(host: "127.0.0.1", port: 0, handlers: [:])
        let reason = await status {
            let connection = try await transport.connect(
                host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
            throw await connection.waitUntilClosed()
        }
        #expect(reason?.code == .unavailable)
        await listener.shutdown(grace: .seconds(3600))
    }

    @Test(arguments: Twin.allCases)
    func `a connection holds no more for readers than its bound`(twin: Twin) async throws {
        var limits = TransportLimits()
        limits.maxBufferedByteCount = 200_000
        let failed = Signal<RPCError?>()
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let pair = try await Pair(
            twin.make(limits),
            [
                TestService.hang: { stream in
                    for await _ in gate { break }
                    failed.send(await status { for try await _ in stream.messages {} })
                }
            ])
        let stream = try await pair.connection.call(TestService.hang, timeout: nil)
        let error = await status {
            for _ in 0..<20 { try await stream.send([UInt8](repeating: 1, count: 50_000)) }
            for try await _ in stream.messages {}
        }
        #expect(error?.code == .resourceExhausted)
        opener.yield()
        #expect(await failed.wait()??.code == .resourceExhausted)
        await pair.end()
    }
}
