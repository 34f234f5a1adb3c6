import Testing
import Transport

@Suite(.timeLimit(.minutes(2)))
struct CancellationTests {
    @Test(arguments: Twin.allCases)
    func `a client's cancellation reaches the handler`(twin: Twin) async throws {
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
        stream.cancel(RPCError(.aborted, "changed my mind"))
        let mine = await status { for try await _ in stream.messages {} }
        #expect(mine == RPCError(.aborted, "changed my mind"))
        #expect(await seen.wait()??.code == .cancelled)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a server's cancellation is the status that the client sees`(twin: Twin) async throws {
        let pair = try await Pair(
            twin.make(),
            [
                TestService.hang: { stream in
                    try await stream.send([1])
                    stream.cancel(RPCError(.aborted, "epoch 7 is over"))
                }
            ])
        let stream = try await pair.connection.call(TestService.hang, timeout: nil)
        var messages = stream.messages.makeAsyncIterator()
        let error = await status { while try await messages.next() != nil {} }
        #expect(error == RPCError(.aborted, "epoch 7 is over"))
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a deadline ends a call on both sides`(twin: Twin) async throws {
        let seen = Signal<RPCError?>()
        let pair = try await Pair(
            twin.make(),
            [
                TestService.hang: { stream in
                    seen.send(await status { for try await _ in stream.messages {} })
                }
            ])
        let stream = try await pair.connection.call(TestService.hang, timeout: .milliseconds(50))
        let error = await status { for try await _ in stream.messages {} }
        #expect(error?.code == .deadlineExceeded)
        let handlers = await seen.wait()??.code
        #expect(handlers == .deadlineExceeded || handlers == .cancelled)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `a handler's task is cancelled when its caller goes`(twin: Twin) async throws {
        let began = Signal<Void>()
        let ended = Signal<Bool>()
        let pair = try await Pair(
            twin.make(),
            [
                TestService.hang: { _ in
                    began.send(())
                    do { try await Task.sleep(for: .seconds(3600)) } catch { ended.send(Task.isCancelled) }
                }
            ])
        let stream = try await pair.connection.call(TestService.hang, timeout: nil)
        _ = await began.wait()
        stream.cancel(RPCError(.cancelled, "bye"))
        #expect(await ended.wait() == true)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `cancelling the caller's task cancels the call`(twin: Twin) async throws {
        let began = Signal<Void>()
        let seen = Signal<RPCError?>()
        let pair = try await Pair(
            twin.make(),
            [
                TestService.hang: { stream in
                    began.send(())
                    seen.send(await status { while true { for try await _ in stream.messages {} } })
                }
            ])
        let connection = pair.connection
        let caller = Task {
            await status {
                let stream = try await connection.call(TestService.hang, timeout: nil)
                for try await _ in stream.messages {}
            }
        }
        _ = await began.wait()
        caller.cancel()
        #expect(await caller.value?.code == .cancelled)
        #expect(await seen.wait()??.code == .cancelled)
        await pair.end()
    }

    @Test(arguments: Twin.allCases)
    func `forgetting a call cancels it`(twin: Twin) async throws {
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
        var stream: (any RPCStream)? = try await pair.connection.call(TestService.hang, timeout: nil)
        _ = await began.wait()
        #expect(stream != nil)
        stream = nil
        #expect(await seen.wait()??.code == .cancelled)
        await pair.end()
    }
}
