import Testing
import Transport

@Suite(.timeLimit(.minutes(2)))
struct ShutdownTests {
    @Test(arguments: Twin.allCases)
    func `a shutdown lets a running call end and takes no new one`(twin: Twin) async throws {
        let began = Signal<Void>()
        let gate = Signal<Void>()
        let pair = try await Pair(
            twin.make(),
            [
                TestService.hang: { stream in
                    began.send(())
                    _ = await gate.wait()
                    try await stream.send([9])
                }
            ])
        let stream = try await pair.connection.call(TestService.hang, timeout: nil)
        try await stream.finish()
        _ = await began.wait()
        let listener = pair.listener
        let shutdown = Task { await listener.shutdown(grace: .seconds(60)) }
        // New calls are refused once the farewell has arrived.
        var refused: RPCError?
        while refused == nil {
            refused = await status {
                let other = try await pair.connection.call(TestService.hang, timeout: .milliseconds(100))
                for try await _ in other.messages {}
            }
            if refused?.code == .deadlineExceeded { refused = nil }
        }
        #expect(refused?.code == .unavailable)
        gate.send(())
        var answers: [[UInt8]] = []
        for try await message in stream.messages { answers.append(message) }
        #expect(answers == [[9]])
        await shutdown.value
        let reason = await pair.connection.waitUntilClosed()
        #expect(reason.code == .unavailable)
        #expect(reason.message.contains("no more calls"))
    }

    @Test(arguments: Twin.allCases)
    func `a shutdown ends what outlasts its grace`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let stream = try await pair.connection.call(TestService.hang, timeout: nil)
        try await stream.send([1])
        await pair.listener.shutdown(grace: .milliseconds(20))
        let error = await status { for try await _ in stream.messages {} }
        #expect(error?.code == .unavailable)
        #expect(await pair.connection.waitUntilClosed().code == .unavailable)
        let late = await status { _ = try await pair.connection.call(TestService.echo, timeout: nil) }
        #expect(late?.code == .unavailable)
    }

    @Test(arguments: Twin.allCases)
    func `closing a connection ends its calls on both sides`(twin: Twin) async throws {
        let began = Signal<Void>()
        let seen = Signal<RPCError?>()
        let pair = try await Pair(
            twin.make(),
            [
                TestService.hang: { stream in
                    began.send(())
                    seen.send(await status { for try await _ in stream.messages {} })
                }
            ])
        let stream = try await pair.connection.call(TestService.hang, timeout: nil)
        _ = await began.wait()
        await pair.connection.close()
        #expect(await status { for try await _ in stream.messages {} }?.code == .unavailable)
        #expect(await seen.wait()??.code == .unavailable)
        #expect(await pair.connection.waitUntilClosed().message.contains("closed by this node"))
        await pair.listener.shutdown(grace: .zero)
    }

    @Test(arguments: Twin.allCases)
    func `waiting for the end can be cancelled`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let connection = pair.connection
        let waiter = Task { await connection.waitUntilClosed() }
        waiter.cancel()
        #expect(await waiter.value.code == .cancelled)
        #expect(try await pair.connection.unary(TestService.echo, [7], timeout: .seconds(30)) == [7])
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a listener turns away more connections than it may hold`(twin: Twin) async throws {
        var limits = TransportLimits()
        limits.maxConnections = 1
        let transport = twin.make(limits)
        let pair = try await Pair(transport)
        // An answered call shows that the listener, too, has seen the end of the handshake.
        #expect(try await pair.connection.unary(TestService.echo, [6], timeout: .seconds(30)) == [6])
        let error = await status {
            _ = try await transport.connect(host: "127.0.0.1", port: pair.listener.port, timeout: .seconds(10))
        }
        #expect(error?.code == .unavailable)
        #expect(try await pair.connection.unary(TestService.echo, [7], timeout: .seconds(30)) == [7])
        await pair.end()
    }
}
