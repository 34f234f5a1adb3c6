public import Inference
public import Transport
import Wire

/// The other side of `RemoteEngine`: any engine as the gRPC service phalanx.v1.Engine.
public enum EngineService {
    /// Bytes of a tokenizer's definition in one message.
    private static let chunkByteCount = 256 << 10
    /// Prompt scores in one message: with 20 alternatives each they stay far below the limit of a message.
    private static let scoreCount = 4096

    public static func handlers(engine: any Engine) -> [RPCMethod: RPCHandler] {
        [
            Services.describe: { stream in
                _ = try await question(EmptyMessage.self, stream)
                try await answer(stream) { try await engine.describe().wireBytes() }
            },
            Services.status: { stream in
                _ = try await question(EmptyMessage.self, stream)
                try await answer(stream) { try await engine.status().wireBytes() }
            },
            Services.authorize: { stream in
                let key = try await question(AuthorizeRequest.self, stream).key
                let reply: AuthorizeReply
                do {
                    reply = .client(try await engine.authorize(key))
                } catch let error as EngineError { reply = .error(error) }
                try await stream.send(reply.wireBytes())
            },
            Services.tokenizer: { stream in try await serveTokenizer(engine, stream) },
            Services.generate: { stream in try await serveGeneration(engine, stream) },
        ]
    }

    /// The call's first message.
    static func question<Message: WireMessage>(
        _ type: Message.Type, _ stream: any RPCStream
    ) async throws -> Message {
        var iterator = stream.messages.makeAsyncIterator()
        guard let bytes = try await iterator.next() else {
            throw RPCError(.invalidArgument, "\(stream.method) needs a message, the call brought none")
        }
        return try read(bytes)
    }

    private static func read<Message: WireMessage>(_ bytes: [UInt8]) throws(RPCError) -> Message {
        do throws(WireError) {
            return try Message(wireBytes: bytes)
        } catch {
            throw RPCError(.invalidArgument, "\(error)")
        }
    }

    private static func answer(_ stream: any RPCStream, _ make: () async throws -> [UInt8]) async throws {
        do {
            try await stream.send(try await make())
        } catch let error as EngineError {
            throw RPCError(error)
        }
    }

    private static func serveTokenizer(_ engine: any Engine, _ stream: any RPCStream) async throws {
        let hash = try await question(TokenizerRequest.self, stream).hash
        guard hash.utf8.count == 64, hash.allSatisfy(\.isHexDigit) else {
            throw RPCError(.invalidArgument, "a tokenizer is named by its SHA-256: 64 hexadecimal digits")
        }
        let definition: [UInt8]
        do {
            definition = try await engine.tokenizerDefinition(hash: hash)
        } catch let error as EngineError {
            throw error.code == .invalidRequest ? RPCError(.notFound, error.message) : RPCError(error)
        }
        var sentCount = 0
        repeat {
            let end = min(sentCount + chunkByteCount, definition.count)
            let chunk = TokenizerChunk(totalByteCount: definition.count, bytes: Array(definition[sentCount..<end]))
            try await stream.send(chunk.wireBytes())
            sentCount = end
        } while sentCount < definition.count
    }

    private static func serveGeneration(_ engine: any Engine, _ stream: any RPCStream) async throws {
        guard case .request(let request) = try await question(GenerateMessage.self, stream) else {
            throw RPCError(.invalidArgument, "\(stream.method) begins with a request")
        }
        let generation: GenerationStream
        do {
            generation = try await engine.generate(request)
        } catch let error as EngineError {
            try await stream.send(EngineReply.error(error).wireBytes())
            return
        }
        // When either side throws (the client went away, or sent nonsense), the other is cancelled, and with the
        // iteration of the events the request itself.
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await takeCancellations(stream, generation) }
            group.addTask { try await sendEvents(generation, stream) }
            while try await group.next() != nil {}
        }
    }

    /// Until the client has no more to say or the call is answered.
    private static func takeCancellations(_ stream: any RPCStream, _ generation: GenerationStream) async throws {
        for try await bytes in stream.messages {
            guard case .cancelChoice(let choice) = try read(bytes) as GenerateMessage else {
                throw RPCError(.invalidArgument, "\(stream.method) takes one request")
            }
            generation.cancelChoice(choice)
        }
    }

    private static func sendEvents(_ generation: GenerationStream, _ stream: any RPCStream) async throws {
        try await stream.send(EngineReply.accepted(generation.limits).wireBytes())
        do {
            for try await event in generation.events { try await send(event, stream) }
            try Task.checkCancellation()
        } catch let error as EngineError {
            try await stream.send(EngineReply.error(error).wireBytes())
        }
        // Also ends the wait for cancellations.
        try await stream.finish()
    }

    private static func send(_ event: GenerationEvent, _ stream: any RPCStream) async throws {
        guard case .promptLogprobs(let scores) = event, scores.count > scoreCount else {
            try await stream.send(EngineReply.event(event).wireBytes())
            return
        }
        var sentCount = 0
        while scores.count - sentCount > scoreCount {
            let part = Array(scores[sentCount..<(sentCount + scoreCount)])
            try await stream.send(EngineReply.promptLogprobs(part).wireBytes())
            sentCount += scoreCount
        }
        try await stream.send(EngineReply.event(.promptLogprobs(Array(scores[sentCount...]))).wireBytes())
    }
}
