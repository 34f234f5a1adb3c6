import CoordinatorNode
import Foundation
import Inference
import Logging
import Synchronization
import Transport
import WorkerNode

/// A whole cluster in one process: the real coordinator and workers over the in-process transport.
struct TestCluster {
    var modelPath: String
    var workerCount = 1
    var threadCount = 1
    var chunkRowCount = 256
    var split: [Int]?
    /// One pipeline of all workers, unless a test is about several.
    var replicaCount: Int? = 1
    var kvType = KVType.f16
    var contextLength: Int?
    var memoryByteCount = 1 << 30
    var heartbeatMilliseconds = 500
    var runningSequenceLimit = 32
    var kvMemoryByteCount: Int?
    var waitingRequestLimit = 256
    /// Long: the machine that tests run on may be busy.
    var progressMilliseconds = 30_000
    var transport: any RPCTransport = LocalTransport()
    /// Where the workers' log goes.
    var record: LogRecord?

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// A cluster that runs, to which workers come and from which they go.
    final class Running: Sendable {
        let coordinator: Coordinator
        private let worker: @Sendable (Int) -> Worker
        private let tasks = Mutex<[Int: Task<Void, any Error>]>([:])
        private let workers = Mutex<[Int: Worker]>([:])

        fileprivate init(_ coordinator: Coordinator, worker: @escaping @Sendable (Int) -> Worker) {
            self.coordinator = coordinator
            self.worker = worker
        }

        func start(_ index: Int) {
            let worker = worker(index)
            workers.withLock { $0[index] = worker }
            tasks.withLock { $0[index] = Task { try await worker.run() } }
        }

        /// Ends a worker without a word to the coordinator.
        func kill(_ index: Int) { tasks.withLock { $0[index] }?.cancel() }

        /// Tells a worker to end as SIGTERM does.
        func leave(_ index: Int, within patience: Duration) async {
            await workers.withLock { $0[index] }?.leave(within: patience)
        }

        /// Returns when a worker has ended by itself.
        func waitForEnd(of index: Int) async throws { try await tasks.withLock { $0[index] }?.value }

        fileprivate func stopAll() async {
            let tasks = tasks.withLock { Array($0.values) }
            for task in tasks { task.cancel() }
            for task in tasks { _ = await task.result }
        }
    }

    /// Starts the cluster, waits until it serves, runs `body` and stops everything.
    func run<Result: Sendable>(_ body: @Sendable (Coordinator) async throws -> Result) async throws -> Result {
        try await runElastic { try await body($0.coordinator) }
    }

    /// The same; `body` can start and end workers.
    func runElastic<Result: Sendable>(_ body: @Sendable (Running) async throws -> Result) async throws -> Result {
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let (transport, quiet) = (transport, logger)
        let coordinator = try Coordinator(
            configuration: CoordinatorConfiguration(
                modelPath: modelPath, modelAlias: "test", contextLength: contextLength, kvType: kvType,
                chunkRowCount: chunkRowCount, runningSequenceLimit: runningSequenceLimit,
                kvMemoryByteCount: kvMemoryByteCount, split: split, replicaCount: replicaCount,
                bindHost: "coordinator", bindPort: 1,
                minimumWorkerCount: workerCount, waitingRequestLimit: waitingRequestLimit,
                heartbeatMilliseconds: heartbeatMilliseconds,
                silenceMilliseconds: 30000, progressMilliseconds: progressMilliseconds),
            transport: transport, logger: logger)
        _ = try await coordinator.start()
        let serving = Task { try await coordinator.run() }
        let running = Running(coordinator) { worker($0, transport: transport, logger: quiet) }
        for index in 0..<workerCount { running.start(index) }
        do {
            try await waitUntilReady(coordinator)
            let result = try await body(running)
            await stop(serving, running)
            return result
        } catch {
            await stop(serving, running)
            throw error
        }
    }

    private func stop(_ serving: Task<Void, any Error>, _ running: Running) async {
        serving.cancel()
        await running.stopAll()
        _ = await serving.result
    }

    private func worker(_ index: Int, transport: any RPCTransport, logger: Logger) -> Worker {
        Worker(
            configuration: WorkerConfiguration(
                coordinatorHost: "coordinator", coordinatorPort: 1, bindHost: "worker-\(index)", bindPort: 1,
                advertisedHost: "worker-\(index)", node: NodeID("worker-\(index)"), processID: index,
                threadCount: threadCount, processors: nil, memoryByteCount: memoryByteCount, bytesPerSecond: 1e9,
                modelPath: nil),
            transport: transport, logger: record?.logger(worker: "worker-\(index)") ?? logger)
    }

    private func waitUntilReady(_ coordinator: Coordinator) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(60))
        while try await coordinator.status().state != .ready {
            if let failure = await coordinator.startFailure { throw Failure(description: failure) }
            guard ContinuousClock.now < deadline else { throw Failure(description: "the cluster did not get ready") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

/// Everything that a request gave, for comparison bit for bit.
struct Answer: Hashable, Sendable {
    var ids: [Int32] = []
    var scores: [ScoredToken] = []
    var promptScores: [ScoredToken] = []
    var embedding: [Float]?
    var reason: FinishReason?
    var usage: Usage?

    struct Usage: Hashable, Sendable {
        let promptTokenCount: Int
        let completionTokenCount: Int
    }

    /// Bit patterns, since `==` on floats would take -0 for 0 and never find NaN equal.
    var bits: [UInt32] {
        (promptScores + scores).flatMap { score in
            [score.logprob.bitPattern] + score.top.flatMap { [UInt32(bitPattern: $0.token), $0.logprob.bitPattern] }
        }
    }
}

extension Engine {
    /// Runs a request to its end; one choice.
    func answer(_ request: GenerationRequest) async throws -> Answer {
        var answer = Answer()
        for try await event in try await generate(request).events {
            switch event {
            case .queued, .prefilled: break
            case .promptLogprobs(let scores): answer.promptScores = scores
            case .embedding(let embedding): answer.embedding = embedding
            case .token(_, let score):
                answer.ids.append(score.token)
                answer.scores.append(score)
            case .finished(_, let reason): answer.reason = reason
            case .completed(let usage):
                answer.usage = Answer.Usage(
                    promptTokenCount: usage.promptTokenCount, completionTokenCount: usage.completionTokenCount)
            }
        }
        return answer
    }
}
