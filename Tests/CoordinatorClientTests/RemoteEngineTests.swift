import CoordinatorClient
import Inference
import Logging
import Synchronization
import Testing
import Transport

/// `RemoteEngine` and `EngineService` against each other, through the whole transport.
@Suite struct RemoteEngineTests {
    /// An engine behind a door, and the same engine seen from the other side.
    private struct Pair {
        let transport = LocalTransport()
        let engine = FakeEngine()
        let listener: any RPCListener
        let remote: RemoteEngine

        init() async throws {
            listener = try await transport.listen(
                host: "coordinator", port: 7000, handlers: EngineService.handlers(engine: engine))
            remote = RemoteEngine(
                transport: transport, host: "coordinator", port: 7000, logger: Logger(label: "test"))
        }
    }

    private let request = GenerationRequest(
        id: RequestID("r1"), prompt: [1, 2, 3], choiceCount: 2, maxTokens: 5, seed: .max, logprobCount: 2)

    private func collect(_ stream: GenerationStream) async throws -> [GenerationEvent] {
        var events: [GenerationEvent] = []
        for try await event in stream.events { events.append(event) }
        return events
    }

    private func engineError(_ body: () async throws -> Void) async -> EngineError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? EngineError
        }
    }

    private let usage = GenerationUsage(
        promptTokenCount: 3, cachedTokenCount: 0, completionTokenCount: 2, queueMilliseconds: 1,
        prefillMilliseconds: 2, decodeMilliseconds: 3)

    private func scored(_ token: Int32) -> ScoredToken {
        ScoredToken(token: token, logprob: -0.25, top: [TokenLogprob(token: 9, logprob: -.infinity)])
    }

    @Test func `the model and the status arrive as they are`() async throws {
        let pair = try await Pair()
        #expect(try await pair.remote.describe() == pair.engine.describe())
        #expect(try await pair.remote.status() == pair.engine.status())
        await pair.remote.close()
        #expect(try await pair.remote.describe().id == "m", "a closed engine connects again")
        await pair.listener.shutdown(grace: .zero)
    }

    @Test func `clients are known by their keys, and what they may still ask arrives`() async throws {
        let pair = try await Pair()
        #expect(try await pair.remote.authorize(nil) == nil)
        let key = try #require(KeyHash(Array(0..<32)))
        let limits = RateLimits(requests: RateLimits.Allowance(limit: 60, remaining: 59, resetMilliseconds: 1000))
        pair.engine.state.withLock {
            $0.clients = [key: "alice"]
            $0.limits = limits
        }
        #expect(try await pair.remote.authorize(key) == "alice")
        let refused = await engineError { _ = try await pair.remote.authorize(nil) }
        #expect(refused?.code == .unauthenticated && refused?.message == "no such key")
        var request = request
        request.key = key
        let stream = try await pair.remote.generate(request)
        #expect(stream.limits == limits)
        #expect(pair.engine.state.withLock { $0.requests.last?.key } == key)
        let overloaded = EngineError(code: .overloaded, message: "slowly", retryAfterSeconds: 7, limits: limits)
        pair.engine.state.withLock { $0.refusal = overloaded }
        #expect(await engineError { _ = try await pair.remote.generate(request) } == overloaded)
        await pair.listener.shutdown(grace: .zero)
    }

    @Test func `a tokenizer comes in chunks and is held against its hash`() async throws {
        let pair = try await Pair()
        let definition = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        // By Python: hashlib.sha256(bytes((i * 31) & 255 for i in range(1000000))).hexdigest()
        let hash = "34596c4573adf4f29b28ef2c79c997eeb28dcf482ce9370047b727b0396a798c"
        pair.engine.state.withLock {
            $0.tokenizer = definition
            $0.description.tokenizerHash = hash
        }
        #expect(try await pair.remote.tokenizerDefinition(hash: hash) == definition)
        let other = String(repeating: "a", count: 64)
        let unknown = await engineError { _ = try await pair.remote.tokenizerDefinition(hash: other) }
        #expect(unknown?.code == .invalidRequest)
        let nonsense = await engineError { _ = try await pair.remote.tokenizerDefinition(hash: "../x") }
        #expect(nonsense?.code == .invalidRequest)
        pair.engine.state.withLock { $0.description.tokenizerHash = other }
        let wrong = await engineError { _ = try await pair.remote.tokenizerDefinition(hash: other) }
        #expect(wrong?.code == .internal && wrong?.message.contains(hash) == true)
        await pair.listener.shutdown(grace: .zero)
    }

    @Test func `events come through in order, many prompt scores in one event`() async throws {
        let pair = try await Pair()
        let stream = try await pair.remote.generate(request)
        #expect(pair.engine.state.withLock { $0.requests } == [request])
        let scores = (0..<10_000).map { scored(Int32($0 % 100)) }
        let events: [GenerationEvent] = [
            .queued(ahead: 2), .prefilled(tokenCount: 3, of: 3), .promptLogprobs(scores),
            .token(choice: 0, scored(4)), .finished(choice: 0, .stop), .token(choice: 1, scored(5)),
            .finished(choice: 1, .length), .completed(usage),
        ]
        for event in events { pair.engine.yield(event) }
        pair.engine.finish()
        #expect(try await collect(stream) == events)
        #expect(pair.engine.state.withLock { $0.endedEarlyCount } == 0)
        await pair.listener.shutdown(grace: .zero)
    }

    @Test func `a refused request throws the engine's own error`() async throws {
        let pair = try await Pair()
        let refusal = EngineError(
            code: .overloaded, message: "too many", parameter: "prompt", retryAfterSeconds: 7)
        pair.engine.state.withLock { $0.refusal = refusal }
        #expect(await engineError { _ = try await pair.remote.generate(request) } == refusal)
        await pair.listener.shutdown(grace: .zero)
    }

    @Test func `an error in the middle ends the stream with that error`() async throws {
        let pair = try await Pair()
        let stream = try await pair.remote.generate(request)
        let failure = EngineError(code: .deadlineExceeded, message: "too late")
        pair.engine.yield(.token(choice: 0, scored(1)))
        pair.engine.finish(failure)
        #expect(await engineError { _ = try await collect(stream) } == failure)
        await pair.listener.shutdown(grace: .zero)
    }

    @Test func `a choice is cancelled at the engine`() async throws {
        let pair = try await Pair()
        let stream = try await pair.remote.generate(request)
        stream.cancelChoice(1)
        await pair.engine.wait { $0.cancelledChoices == [1] }
        pair.engine.yield(.finished(choice: 1, .cancelled), .finished(choice: 0, .stop), .completed(usage))
        pair.engine.finish()
        #expect(try await collect(stream).count == 3)
        await pair.listener.shutdown(grace: .zero)
    }

    @Test func `who stops listening cancels the request at the engine`() async throws {
        let pair = try await Pair()
        let reader = Task {
            let stream = try await pair.remote.generate(request)
            for try await _ in stream.events {}
        }
        await pair.engine.wait { !$0.requests.isEmpty }
        reader.cancel()
        await pair.engine.wait { $0.endedEarlyCount == 1 }
        await pair.listener.shutdown(grace: .zero)
    }

    @Test func `a lost coordinator ends streams and is found again when it is back`() async throws {
        let pair = try await Pair()
        let stream = try await pair.remote.generate(request)
        await pair.listener.shutdown(grace: .zero)
        let lost = await engineError { _ = try await collect(stream) }
        #expect(lost?.code == .unavailable || lost?.code == .cancelled)
        let absent = await engineError { _ = try await pair.remote.describe() }
        #expect(absent?.code == .unavailable && absent?.message.contains("coordinator:7000") == true)
        let again = try await pair.transport.listen(
            host: "coordinator", port: 7000, handlers: EngineService.handlers(engine: pair.engine))
        var description: ModelDescription?
        while description == nil {
            description = try? await pair.remote.describe()
            await Task.yield()
        }
        #expect(description?.id == "m")
        await again.shutdown(grace: .zero)
    }
}
