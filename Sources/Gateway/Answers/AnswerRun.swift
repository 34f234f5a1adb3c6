import Inference

/// The client of a request has gone; nobody waits for the answer.
struct ClientGone: Error {}

/// An answer on its way: the engine's events for all prompts, in one sequence with everything else to wait for.
///
/// Whatever ends the run early (an error, the client's leaving, cancellation) cancels its requests in the engine.
struct AnswerRun: Sendable {
    enum Item: Sendable {
        /// Something is new in a choice.
        case delta(choice: Int, ChoiceDelta)
        /// Nothing has happened for a while.
        case silence
    }

    /// An engine's event with its prompt, or a reason to look up from waiting.
    private enum Arrival: Sendable {
        case event(promptIndex: Int, GenerationEvent, cancelChoice: @Sendable (Int) -> Void)
        case silence
    }

    private let engine: any Engine
    private let job: AnswerJob
    private let first: GenerationStream
    private let connection: Ending?
    private let farewell: Ending
    private let concurrentPromptCount: Int
    /// Names the rule that forbids a whole answer; nil when answers need not be seen whole.
    private let judge: (@Sendable (String) async throws -> String?)?
    private let meter: AnswerMeter

    /// Hands the first prompt to the engine, so that a refusal is known before anything is answered.
    ///
    /// - Parameters:
    ///   - connection: ends when the client goes.
    ///   - farewell: comes when the server has no time left.
    ///   - judge: names the rule that forbids a whole answer; then nothing of an answer is told before its end.
    init(
        engine: any Engine, job: AnswerJob, connection: Ending?, farewell: Ending, concurrentPromptCount: Int,
        meter: AnswerMeter, judge: (@Sendable (String) async throws -> String?)? = nil
    ) async throws {
        self.engine = engine
        self.job = job
        self.connection = connection
        self.farewell = farewell
        self.concurrentPromptCount = concurrentPromptCount
        self.judge = judge
        self.meter = meter
        do {
            first = try await engine.generate(job.request(promptIndex: 0))
        } catch {
            meter.refused()
            throw error
        }
    }

    /// What the client may still ask for.
    var limits: RateLimits? { first.limits }

    /// Runs to the end. Call once.
    ///
    /// - Parameters:
    ///   - lookout: How often to look up from waiting, and a check whether to report silence then; nil for never.
    ///   - receive: Called in order with everything that happens; what it throws ends the run.
    /// - Returns: What the answer cost.
    func forEach(
        lookout: (pace: Duration, isSilent: @Sendable () -> Bool)? = nil, _ receive: (Item) async throws -> Void
    ) async throws -> AnswerUsage {
        var meter = meter
        do {
            let usage = try await forEach(lookout, &meter, receive)
            meter.end()
            return usage
        } catch {
            meter.end(error)
            throw error
        }
    }

    private func forEach(
        _ lookout: (pace: Duration, isSilent: @Sendable () -> Bool)?, _ meter: inout AnswerMeter,
        _ receive: (Item) async throws -> Void
    ) async throws -> AnswerUsage {
        let (arrivals, source) = AsyncThrowingStream<Arrival, any Error>.makeStream()
        let key = connection?.whenReached { source.finish(throwing: ClientGone()) }
        defer { if let key { connection?.ignore(key) } }
        let farewellKey = farewell.whenReached {
            source.finish(
                throwing: APIError(.unavailable, "The server is shutting down; the answer is not complete."))
        }
        defer { farewell.ignore(farewellKey) }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                do {
                    try await pumpAll(into: source)
                    source.finish()
                } catch {
                    source.finish(throwing: error)
                }
            }
            if let lookout {
                group.addTask {
                    while true {
                        try await Task.sleep(for: lookout.pace)
                        if lookout.isSilent() { source.yield(.silence) }
                    }
                }
            }
            var assembly = AnswerAssembly(job)
            var held: [Int: ChoiceDelta] = [:]
            for try await arrival in arrivals {
                switch arrival {
                case .silence: try await receive(.silence)
                case .event(let promptIndex, let event, let cancelChoice):
                    let progress = try assembly.consume(event, promptIndex: promptIndex)
                    meter.note(event, firstChoice: promptIndex * job.shared.choiceCount)
                    progress.stopped.forEach(cancelChoice)
                    for (choice, delta) in progress.deltas {
                        guard let judge else {
                            try await receive(.delta(choice: choice, delta))
                            continue
                        }
                        held[choice, default: ChoiceDelta()].append(delta)
                        guard delta.end != nil, let whole = held.removeValue(forKey: choice) else { continue }
                        try await receive(.delta(choice: choice, try await Self.judged(whole, judge)))
                    }
                }
            }
            try Task.checkCancellation()
            return assembly.usage
        }
    }

    private static func judged(
        _ answer: ChoiceDelta, _ judge: @Sendable (String) async throws -> String?
    ) async throws -> ChoiceDelta {
        guard !answer.text.isEmpty, let rule = try await judge(answer.text) else { return answer }
        return ChoiceDelta(end: .contentFilter, filterRule: rule)
    }

    /// Takes all prompts through the engine, a few at a time, in order.
    private func pumpAll(into source: AsyncThrowingStream<Arrival, any Error>.Continuation) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in job.prompts.indices {
                if index >= concurrentPromptCount { try await group.next() }
                group.addTask {
                    let stream = index == 0 ? first : try await engine.generate(job.request(promptIndex: index))
                    var isComplete = false
                    for try await event in stream.events {
                        if case .completed = event { isComplete = true }
                        source.yield(.event(promptIndex: index, event, cancelChoice: stream.cancelChoice))
                    }
                    try Task.checkCancellation()
                    guard isComplete else {
                        throw EngineError(code: .internal, message: "The engine's answer ended before it was complete.")
                    }
                }
            }
            // The first failure ends the others.
            while try await group.next() != nil {}
        }
    }
}
