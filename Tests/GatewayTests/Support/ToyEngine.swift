import Crypto
import Inference
import Synchronization
import Tokenization

/// An engine without a model: it answers what a script says, and remembers what it was asked and what was given up.
final class ToyEngine: Engine {
    typealias Script = @Sendable (_ request: GenerationRequest, _ choice: Int) -> [Int32]

    struct Log: Sendable {
        var requests: [GenerationRequest] = []
        var abandoned: [String] = []
        var cancelledChoices: [Int] = []
        var runningCount = 0
    }

    static let answer = "Grüße, 世界! 🙂 STOP here."

    let contextLength: Int
    private let script: Script
    private let tokenDelay: Duration?
    private let prefillDelay: Duration?
    private let refusal: EngineError?
    /// The choices of one request that the gateway gave up.
    private final class GivenUp: Sendable {
        let choices = Mutex<Set<Int>>([])
    }

    /// Thrown in the middle: after so many tokens.
    private let breakdown: (tokenCount: Int, error: EngineError)?
    private let state: ClusterStatus.State
    /// The only good key, of the client "alice"; nil when everybody may ask.
    private let key: String?
    private let limits: RateLimits?
    /// Thrown instead of the status.
    private let silence: EngineError?
    private let log = Mutex(Log())

    init(
        contextLength: Int = 4096, tokenDelay: Duration? = nil, prefillDelay: Duration? = nil,
        refusal: EngineError? = nil, breakdown: (tokenCount: Int, error: EngineError)? = nil,
        state: ClusterStatus.State = .ready, silence: EngineError? = nil, key: String? = nil, limits: RateLimits? = nil,
        script: @escaping Script = ToyEngine.standardScript
    ) {
        self.contextLength = contextLength
        self.tokenDelay = tokenDelay
        self.prefillDelay = prefillDelay
        self.refusal = refusal
        self.breakdown = breakdown
        self.state = state
        self.key = key
        self.limits = limits
        self.silence = silence
        self.script = script
    }

    /// The standing answer; with a temperature, letters that depend on seed, choice and prompt.
    static let standardScript: Script = { request, choice in
        guard request.sampling.temperature > 0 else { return ToyTokenizer.bytes(answer) }
        var hash = request.prompt.reduce(request.seed ?? 7) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } &+ UInt64(choice)
        return (0..<24).map { _ in
            hash = hash &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int32(97 + hash >> 33 % 26)
        }
    }

    var record: Log { log.withLock { $0 } }

    var model: ModelDescription {
        ModelDescription(
            id: "toy", name: "makers/Toy", fingerprint: "f00d", systemFingerprint: "fp_toy",
            contextLength: contextLength,
            vocabularySize: ToyTokenizer.vocabularySize, layerCount: 2, parameterCount: 1000,
            endOfSequenceTokens: [ToyTokenizer.end], tokenizerHash: "toy-tokenizer", createdSeconds: 1_700_000_000,
            card: "# Toy", hiddenSize: 3)
    }

    func describe() async throws -> ModelDescription { model }

    func tokenizerDefinition(hash: String) async throws -> [UInt8] {
        guard hash == model.tokenizerHash else {
            throw EngineError(code: .invalidRequest, message: "no such tokenizer")
        }
        return try ToyTokenizer.definition().encoded()
    }

    func status() async throws -> ClusterStatus {
        if let silence { throw silence }
        return ClusterStatus(
            state: state, reason: state == .ready ? nil : "1 of 2 workers has joined", epoch: Epoch(term: 1, plan: 2),
            model: model, workers: [], runningRequestCount: record.runningCount, waitingRequestCount: 0,
            completedRequestCount: 0, generatedTokenCount: 0, uptimeSeconds: 1)
    }

    func authorize(_ shown: KeyHash?) async throws -> String? {
        guard let key else { return nil }
        guard let shown, shown.bytes == Array(SHA256.hash(data: Array(key.utf8))) else {
            throw EngineError(code: .unauthenticated, message: "this key is not good")
        }
        return "alice"
    }

    /// The score of a token in a place: any numbers will do, as long as they are always the same.
    static func score(_ token: Int32, position: Int, count: Int) -> ScoredToken {
        let top = (0..<max(count, 0)).map { rank in
            TokenLogprob(
                token: rank == 0 ? token : (token + Int32(rank) * 7) % 256, logprob: -0.25 - Float(rank) * 2.5)
        }
        return ScoredToken(token: token, logprob: -0.25 - Float(position % 4) * 0.125, top: top)
    }

    func generate(_ request: GenerationRequest) async throws -> GenerationStream {
        if let refusal { throw refusal }
        log.withLock { log in
            log.requests.append(request)
            log.runningCount += 1
        }
        let (events, continuation) = AsyncThrowingStream<GenerationEvent, any Error>.makeStream()
        let givenUp = GivenUp()
        let task = Task {
            do {
                try await answer(request, givenUp, into: continuation)
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { [self] termination in
            task.cancel()
            log.withLock { log in
                log.runningCount -= 1
                if case .cancelled = termination { log.abandoned.append(request.id.rawValue) }
            }
        }
        return GenerationStream(events: events, limits: limits) { [self] choice in
            log.withLock { $0.cancelledChoices.append(choice) }
            givenUp.choices.withLock { _ = $0.insert(choice) }
        }
    }

    private func answer(
        _ request: GenerationRequest, _ givenUp: GivenUp,
        into events: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    ) async throws {
        events.yield(.queued(ahead: 0))
        if let prefillDelay { try await Task.sleep(for: prefillDelay) }
        events.yield(.prefilled(tokenCount: request.prompt.count, of: request.prompt.count))
        if let count = request.promptLogprobCount {
            events.yield(
                .promptLogprobs(
                    request.prompt.enumerated().dropFirst().map { Self.score($1, position: $0, count: count) }))
        }
        // The number of tokens, their mean and the first of them.
        if request.wantsEmbedding {
            let sum = request.prompt.reduce(0) { $0 + Int($1) }
            let mean = Float(sum) / Float(request.prompt.count)
            events.yield(.embedding([Float(request.prompt.count), mean, Float(request.prompt[0])]))
        }
        var total = 0
        for choice in 0..<request.choiceCount {
            var reason = FinishReason.length
            var tokens = script(request, choice) + [ToyTokenizer.end]
            if request.ignoreEndOfSequence { tokens += Array(repeating: 0x78, count: 64) }
            let limit = min(request.maxTokens ?? .max, contextLength - request.prompt.count)
            for (position, token) in tokens.prefix(limit).enumerated() {
                if let tokenDelay { try await Task.sleep(for: tokenDelay) }
                if let breakdown, total == breakdown.tokenCount { throw breakdown.error }
                if givenUp.choices.withLock({ $0.contains(choice) }) {
                    reason = .cancelled
                    break
                }
                total += 1
                events.yield(
                    .token(choice: choice, Self.score(token, position: position, count: request.logprobCount ?? 0)))
                let ends = request.ignoreEndOfSequence ? [] : [ToyTokenizer.end]
                if (ends + request.stopTokens).contains(token) {
                    reason = .stop
                    break
                }
            }
            events.yield(.finished(choice: choice, reason))
        }
        events.yield(
            .completed(
                GenerationUsage(
                    promptTokenCount: request.prompt.count, cachedTokenCount: min(3, request.prompt.count),
                    completionTokenCount: total, queueMilliseconds: 0, prefillMilliseconds: 0, decodeMilliseconds: 0)))
    }
}
