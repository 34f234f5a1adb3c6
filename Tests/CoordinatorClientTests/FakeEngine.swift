import Inference
import Synchronization

/// An engine whose requests are scripted by the test.
final class FakeEngine: Engine {
    struct State {
        var description = ModelDescription(
            id: "m", name: "M", fingerprint: "f", systemFingerprint: "fp", contextLength: 64, vocabularySize: 100,
            layerCount: 2, parameterCount: 1000, endOfSequenceTokens: [0], tokenizerHash: "", createdSeconds: 5,
            card: "# M")
        var tokenizer: [UInt8] = []
        var refusal: EngineError?
        /// Clients by key; nil lets everybody in.
        var clients: [KeyHash: String]?
        var limits: RateLimits?
        var requests: [GenerationRequest] = []
        var cancelledChoices: [Int] = []
        var endedEarlyCount = 0
        var continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation?
    }

    let state = Mutex(State())
    /// Says so when a choice was cancelled or a stream ended early.
    let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    init() { (changes, changed) = AsyncStream.makeStream(of: Void.self) }

    func describe() async throws -> ModelDescription { state.withLock { $0.description } }

    func tokenizerDefinition(hash: String) async throws -> [UInt8] {
        try state.withLock { state in
            guard hash == state.description.tokenizerHash else {
                throw EngineError(code: .invalidRequest, message: "no such tokenizer")
            }
            return state.tokenizer
        }
    }

    func status() async throws -> ClusterStatus {
        ClusterStatus(
            state: .waiting, reason: "0 of 2 workers", epoch: Epoch(term: 1, plan: 0), model: try await describe(),
            workers: [], runningRequestCount: 1, waitingRequestCount: 2, completedRequestCount: 3,
            generatedTokenCount: 4, uptimeSeconds: 5)
    }

    func authorize(_ key: KeyHash?) async throws -> String? {
        guard let clients = state.withLock({ $0.clients }) else { return nil }
        guard let name = key.flatMap({ clients[$0] }) else {
            throw EngineError(code: .unauthenticated, message: "no such key")
        }
        return name
    }

    func generate(_ request: GenerationRequest) async throws -> GenerationStream {
        let (events, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
        try state.withLock { state in
            if let refusal = state.refusal { throw refusal }
            state.requests.append(request)
            state.continuation = continuation
        }
        continuation.onTermination = { [weak self] termination in
            guard case .cancelled = termination, let self else { return }
            self.state.withLock { $0.endedEarlyCount += 1 }
            self.changed.yield()
        }
        changed.yield()
        return GenerationStream(events: events, limits: state.withLock { $0.limits }) { [weak self] choice in
            self?.state.withLock { $0.cancelledChoices.append(choice) }
            self?.changed.yield()
        }
    }

    /// Sends events to the request under way.
    func yield(_ events: GenerationEvent...) {
        let continuation = state.withLock { $0.continuation }
        for event in events { continuation?.yield(event) }
    }

    func finish(_ error: EngineError? = nil) {
        let continuation = state.withLock { $0.continuation }
        continuation?.finish(throwing: error)
    }

    /// Returns once the condition holds; it is looked at after every change.
    func wait(until condition: (State) -> Bool) async {
        if state.withLock({ condition($0) }) { return }
        for await _ in changes where state.withLock({ condition($0) }) { return }
    }
}
