import Crypto
public import Inference
public import Logging
public import Transport
import Wire

/// The coordinator's engine over gRPC, for a gateway in its own process.
///
/// It connects when first asked and again whenever the connection broke. Questions that change nothing are asked a
/// second time over a new connection; a request whose stream breaks ends with an `EngineError`.
public final class RemoteEngine: Engine {
    let link: CoordinatorLink
    private let logger: Logger

    static let answerTimeout = Duration.seconds(10)
    private static let tokenizerTimeout = Duration.seconds(60)

    /// - Parameters:
    ///   - host: of the coordinator.
    ///   - port: where it serves workers and gateways.
    public init(
        transport: any RPCTransport, host: String, port: Int, logger: Logger = Logger(label: "phalanx.engine")
    ) {
        link = CoordinatorLink(transport: transport, host: host, port: port, logger: logger)
        self.logger = logger
    }

    /// Ends the connection; a later call makes a new one.
    public func close() async { await link.close() }

    public func describe() async throws -> ModelDescription {
        try await ask { connection in
            let answer = try await connection.unary(
                Services.describe, EmptyMessage().wireBytes(), timeout: Self.answerTimeout)
            return try ModelDescription(wireBytes: answer)
        }
    }

    public func status() async throws -> ClusterStatus {
        try await ask { connection in
            let answer = try await connection.unary(
                Services.status, EmptyMessage().wireBytes(), timeout: Self.answerTimeout)
            return try ClusterStatus(wireBytes: answer)
        }
    }

    public func authorize(_ key: KeyHash?) async throws -> String? {
        let reply = try await ask { connection in
            try AuthorizeReply(
                wireBytes: try await connection.unary(
                    Services.authorize, AuthorizeRequest(key: key).wireBytes(), timeout: Self.answerTimeout))
        }
        switch reply {
        case .client(let name): return name
        case .error(let error): throw error
        }
    }

    /// Fetches the definition and holds it against the hash.
    public func tokenizerDefinition(hash: String) async throws -> [UInt8] {
        let definition = try await ask { connection in
            let stream = try await connection.call(Services.tokenizer, timeout: Self.tokenizerTimeout)
            try await stream.send(TokenizerRequest(hash: hash).wireBytes())
            try await stream.finish()
            var definition: [UInt8] = []
            var totalByteCount: Int?
            for try await bytes in stream.messages {
                let chunk = try TokenizerChunk(wireBytes: bytes)
                let total = totalByteCount ?? chunk.totalByteCount
                guard chunk.totalByteCount == total, definition.count + chunk.bytes.count <= total else {
                    throw WireError("TokenizerChunk.data", "the chunks are more than the announced \(total) bytes")
                }
                totalByteCount = total
                definition += chunk.bytes
            }
            guard definition.count == totalByteCount else {
                throw WireError(
                    "TokenizerChunk.data", "\(definition.count) of \(totalByteCount ?? 0) announced bytes came")
            }
            return definition
        }
        let computed = Self.hexadecimal(SHA256.hash(data: definition))
        guard computed == hash.lowercased() else {
            throw EngineError(
                code: .internal,
                message: "the tokenizer from coordinator \(link.address) has the hash \(computed), asked for was "
                    + "\(hash.prefix(64)): it was damaged on the way or replaced meanwhile; try again")
        }
        return definition
    }

    private static func hexadecimal(_ digest: SHA256.Digest) -> String {
        let digits = Array("0123456789abcdef")
        return String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    public func generate(_ request: GenerationRequest) async throws -> GenerationStream {
        let (stream, messages) = try await ask { connection in
            let stream = try await connection.call(Services.generate, timeout: nil)
            do {
                // The connection may turn out to be dead here; nothing has happened then.
                try await stream.send(GenerateMessage.request(request).wireBytes())
            } catch {
                stream.cancel(RPCError(.cancelled, "the request could not be sent"))
                throw error
            }
            return (stream, stream.messages)
        }
        let limits: RateLimits?
        do {
            limits = try await awaitAcceptance(messages, of: stream)
        } catch {
            stream.cancel(RPCError(.cancelled, "the request was given up"))
            throw engineError(error)
        }
        return forward(stream, messages, limits)
    }

    private func awaitAcceptance(_ messages: RPCMessages, of stream: any RPCStream) async throws -> RateLimits? {
        let patience = Task {
            try await Task.sleep(for: Self.answerTimeout)
            stream.cancel(RPCError(.deadlineExceeded, "the coordinator did not take the request in time"))
        }
        defer { patience.cancel() }
        var iterator = messages.makeAsyncIterator()
        guard let first = try await iterator.next() else {
            throw WireError("EngineReply", "the call ended before the request was taken")
        }
        switch try EngineReply(wireBytes: first) {
        case .accepted(let limits): return limits
        case .error(let error): throw error
        case .event, .promptLogprobs: throw WireError("EngineReply", "an event came before the request was taken")
        }
    }

    /// Turns replies into events until the request is complete; cancels the call when nobody listens any more.
    private func forward(
        _ stream: any RPCStream, _ messages: RPCMessages, _ limits: RateLimits?
    ) -> GenerationStream {
        let (events, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
        let reader = Task {
            do {
                try await self.forward(messages, to: continuation)
                try? await stream.finish()
                continuation.finish()
            } catch {
                stream.cancel(RPCError(.cancelled, "the request is over"))
                continuation.finish(throwing: self.engineError(error))
            }
        }
        continuation.onTermination = { termination in
            guard case .cancelled = termination else { return }
            stream.cancel(RPCError(.cancelled, "the client went away"))
            reader.cancel()
        }
        return GenerationStream(events: events, limits: limits) { choice in
            // Nobody waits for it: when the call is over, so is the choice.
            Task { try? await stream.send(GenerateMessage.cancelChoice(choice).wireBytes()) }
        }
    }

    private func forward(
        _ messages: RPCMessages, to continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    ) async throws {
        var scores: [ScoredToken] = []
        for try await bytes in messages {
            switch try EngineReply(wireBytes: bytes) {
            case .accepted: throw WireError("EngineReply.accepted", "came twice")
            case .error(let error): throw error
            case .promptLogprobs(let part):
                guard scores.count + part.count <= WireLimits.tokenCount else {
                    throw WireError("EngineReply.prompt_logprobs", "are more than \(WireLimits.tokenCount)")
                }
                scores += part
            case .event(.promptLogprobs(let last)):
                continuation.yield(.promptLogprobs(scores + last))
                scores = []
            case .event(.completed(let usage)):
                continuation.yield(.completed(usage))
                return
            case .event(let event): continuation.yield(event)
            }
        }
        throw WireError("EngineReply", "the call ended before the request was complete")
    }

    /// Asks over the connection that stands; when it proves broken, once more over a new one.
    func ask<Answer: Sendable>(
        _ question: @Sendable (any RPCConnection) async throws -> Answer
    ) async throws -> Answer {
        do {
            let connection = try await link.current()
            do {
                return try await question(connection)
            } catch let error as RPCError where error.code == .unavailable {
                logger.debug("Asking the coordinator again", metadata: ["reason": "\(error)"])
                await link.discard(connection)
            }
            return try await question(try await link.current())
        } catch {
            throw engineError(error)
        }
    }

    private func engineError(_ error: any Error) -> EngineError {
        switch error {
        case let error as EngineError: error
        case let error as RPCError: EngineError(error, coordinator: link.address)
        case is CancellationError: EngineError(code: .cancelled, message: "the request was cancelled")
        default:
            EngineError(
                code: .internal,
                message: "the coordinator at \(link.address) answered with something that cannot be read (\(error)); "
                    + "install the same release on both sides")
        }
    }
}
