import Testing
import Transport

@Suite(.timeLimit(.minutes(2)))
struct CallTests {
    @Test(arguments: Twin.allCases)
    func `a message is echoed`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let answer = try await pair.connection.unary(TestService.echo, [1, 2, 3], timeout: .seconds(30))
        #expect(answer == [1, 2, 3])
        let empty = try await pair.connection.unary(TestService.echo, [], timeout: .seconds(30))
        #expect(empty == [])
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `messages stream both ways at once and in order`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let stream = try await pair.connection.call(TestService.echo, timeout: nil)
        for index in 0..<200 {
            try await stream.send([UInt8](repeating: UInt8(index), count: index * 37))
            if index % 3 == 0 { continue }
        }
        try await stream.finish()
        var index = 0
        for try await message in stream.messages {
            #expect(message == [UInt8](repeating: UInt8(index), count: index * 37))
            index += 1
        }
        #expect(index == 200)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a conversation goes back and forth`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let stream = try await pair.connection.call(TestService.echo, timeout: nil)
        var messages = stream.messages.makeAsyncIterator()
        for index in 0..<50 {
            try await stream.send([UInt8(index)])
            #expect(try await messages.next() == [UInt8(index)])
        }
        try await stream.finish()
        try await stream.finish()
        #expect(try await messages.next() == nil)
        #expect(try await messages.next() == nil)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a server streams many messages`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let stream = try await pair.connection.call(TestService.count, timeout: .seconds(60))
        try await stream.send([250])
        try await stream.finish()
        var count = 0
        for try await message in stream.messages {
            #expect(message.count == 1000)
            count += 1
        }
        #expect(count == 250)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `many calls run at once on one connection`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<600 {
                group.addTask {
                    let message = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 1 + index * 11)
                    return try await pair.connection.unary(TestService.echo, message, timeout: .seconds(60)) == message
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(answers == 600)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `an unknown method is unimplemented`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let method = RPCMethod(service: "phalanx.test.Test", name: "Nothing")
        let error = await status { _ = try await pair.connection.unary(method, [1], timeout: .seconds(30)) }
        #expect(error?.code == .unimplemented)
        #expect(error?.message.contains("/phalanx.test.Test/Nothing") == true)
        // The connection is none the worse.
        #expect(try await pair.connection.unary(TestService.echo, [7], timeout: .seconds(30)) == [7])
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a handler's status reaches the caller word for word`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let error = await status { _ = try await pair.connection.unary(TestService.fail, [], timeout: .seconds(30)) }
        #expect(error == RPCError(.dataLoss, "100 % of läyer 7 is lost\n"))
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `an unforeseen error tells the caller nothing of the inside`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let error = await status { _ = try await pair.connection.unary(TestService.crash, [], timeout: .seconds(30)) }
        #expect(error?.code == .internalError)
        #expect(error?.message.contains("Oops") == false)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a server may answer before the request has ended`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let stream = try await pair.connection.call(TestService.early, timeout: .seconds(30))
        var messages = stream.messages.makeAsyncIterator()
        #expect(try await messages.next() == [1])
        #expect(try await messages.next() == nil)
        let error = await status { while true { try await stream.send([1, 2, 3]) } }
        #expect(error?.code == .failedPrecondition)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a handler may serve a call that sends nothing`(twin: Twin) async throws {
        let pair = try await Pair(twin.make())
        let stream = try await pair.connection.call(TestService.total, timeout: .seconds(30))
        try await stream.finish()
        var answers: [[UInt8]] = []
        for try await message in stream.messages { answers.append(message) }
        #expect(answers == [Array("0".utf8)])
        let error = await status { try await stream.send([1]) }
        #expect(error?.code == .failedPrecondition)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `nobody listening is said with the address and the cure`(twin: Twin) async throws {
        let transport = twin.make()
        let listener = try await transport.listen(host: "127.0.0.1", port: 0, handlers: [:])
        let port = listener.port
        await listener.shutdown(grace: .zero)
        let error = await status {
            _ = try await transport.connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
        }
        #expect(error?.code == .unavailable)
        #expect(
            error?.message
                == "connection refused: nothing listens at 127.0.0.1:\(port); start the node or correct the address")
    }

    @Test(arguments: Twin.allCases)
    func `a port in use is said`(twin: Twin) async throws {
        let transport = twin.make()
        let listener = try await transport.listen(host: "127.0.0.1", port: 0, handlers: [:])
        let error = await status {
            _ = try await transport.listen(host: "127.0.0.1", port: listener.port, handlers: [:])
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("127.0.0.1:\(listener.port) is in use") == true)
        await listener.shutdown(grace: .zero)
    }
}
