import Checkpoint
import Inference
import Logging
import Phi
import Synchronization
import Transport
import Wire

/// One assignment being carried out: loading, then computing step after step, until it is stopped.
final class ActiveStage: Sendable {
    let assignment: StageAssignment
    let progress = StageProgress()

    private let configuration: WorkerConfiguration
    private let parts: LoadedParts
    private let models: ModelStore
    private let logger: Logger
    private let report: @Sendable (WorkerMessage) async -> Void
    private let queue: StageQueue
    private let link: ForwardLink?
    private let work = Mutex<Task<Void, Never>?>(nil)
    private let hidden = Mutex(0)
    /// Ends with the work; the next stage listens.
    private let ended = AsyncStream.makeStream(of: Void.self)

    /// For the stage before to end: no step takes as long.
    private static let endPatience = Duration.seconds(30)

    init(
        assignment: StageAssignment, configuration: WorkerConfiguration, models: ModelStore, parts: LoadedParts,
        transport: any RPCTransport, logger: Logger, report: @escaping @Sendable (WorkerMessage) async -> Void
    ) {
        self.assignment = assignment
        self.configuration = configuration
        self.models = models
        self.parts = parts
        self.logger = logger
        self.report = report
        // One more than the coordinator's credits, for the step that only retires sequences.
        let capacity = assignment.stageCount + 2
        queue = StageQueue(epoch: assignment.epoch, capacity: capacity)
        link = assignment.next.map { next in
            ForwardLink(transport: transport, next: next, keptCount: capacity, logger: logger) { message in
                Task { await report(.failed(epoch: assignment.epoch, message: message)) }
            }
        }
    }

    /// The width of the rows that arrive; 0 until the checkpoint is open, which refuses them all.
    var hiddenSize: Int { hidden.withLock { $0 } }

    var isNextLinkUp: Bool {
        get async { await link?.isUp ?? true }
    }

    func offer(_ activation: Activation) -> StageQueue.Verdict { queue.offer(activation) }

    /// Begins when the stage before has ended, so that the two are never in memory together.
    func start(after old: ActiveStage?) {
        let task = Task {
            defer { self.ended.continuation.finish() }
            guard await old?.ends(within: Self.endPatience) ?? true, !Task.isCancelled else {
                guard !Task.isCancelled else {
                    await old?.waitUntilEnded()
                    return
                }
                let message =
                    "the stage before has not ended for \(Self.endPatience): its computation hangs, or it still reads a large "
                    + "file; restart this worker if it goes on"
                self.logger.error("\(message)")
                await self.report(.failed(epoch: self.assignment.epoch, message: message))
                await old?.waitUntilEnded()
                return
            }
            do {
                try await self.carryOut()
            } catch is CancellationError {
                // A new assignment took its place.
            } catch {
                self.logger.error("The stage failed", metadata: ["error": "\(error)"])
                await self.report(.failed(epoch: self.assignment.epoch, message: "\(error)"))
            }
        }
        work.withLock { $0 = task }
    }

    /// Whether the work ends in time; false also when the caller's task is cancelled.
    private func ends(within patience: Duration) async -> Bool {
        let stream = ended.stream
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in stream {}
                return !Task.isCancelled
            }
            group.addTask {
                try? await Task.sleep(for: patience)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    private func waitUntilEnded() async { await work.withLock { $0 }?.value }

    func stop() async {
        work.withLock { $0 }?.cancel()
        queue.close()
        await link?.close()
    }

    private func carryOut() async throws {
        let host = StageHost(
            assignment: assignment, configuration: configuration, parts: parts, progress: progress)
        let memoryByteCount = try await load(host)
        try await openLink()
        progress.beginServing()
        await report(.ready(epoch: assignment.epoch, memoryByteCount: memoryByteCount))
        logger.info(
            "Serving",
            metadata: [
                "layers": "\(assignment.layers)", "stage": "\(assignment.stage + 1) of \(assignment.stageCount)",
                "epoch": "\(assignment.epoch)",
            ])
        for await activation in queue.activations {
            let outcome = try await host.run(activation)
            queue.finished()
            switch outcome {
            case .activation(let activation): await link?.send(activation.wireBytes())
            case .result(let result): await report(.result(result))
            }
        }
    }

    private func load(_ host: StageHost) async throws -> Int {
        let epoch = assignment.epoch
        let (progress, continuation) = AsyncStream.makeStream(
            of: LoadProgress.self, bufferingPolicy: .bufferingNewest(1))
        let reporter = Task {
            for await state in progress {
                configuration.watchLoading?(state, assignment.layers)
                await report(.loadProgress(epoch: epoch, state))
            }
        }
        defer { continuation.finish() }
        let loaded = try await models.load(assignment, keeping: parts, report: { continuation.yield($0) }) {
            [assignment, logger] checkpoint in
            let began = ContinuousClock.now
            let loaded = try await host.load(checkpoint) { continuation.yield($0) }
            logger.notice("Loaded the layers", metadata: loaded.metadata(assignment, ContinuousClock.now - began))
            return loaded
        }
        hidden.withLock { $0 = loaded.hiddenSize }
        continuation.finish()
        await reporter.value
        return loaded.memoryByteCount
    }

    /// The next stage may still be starting: it is dialled until the coordinator's patience ends.
    private func openLink() async throws {
        guard let link else { return }
        var attempt = 0
        while true {
            do {
                return try await link.open()
            } catch let error as RPCError {
                attempt += 1
                guard attempt < 20 else {
                    throw WorkerError("the next stage cannot be reached: \(error)")
                }
                try await Task.sleep(for: .milliseconds(250))
            }
        }
    }
}

extension StageHost.Loaded {
    /// How long loading took and where the weights came from, for the log.
    fileprivate func metadata(_ assignment: StageAssignment, _ duration: Duration) -> Logger.Metadata {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
        let sources = [
            ("memory", summary.keptPartCount), ("cache", summary.cachedPartCount),
            ("checkpoint", summary.packedPartCount),
        ].filter { $0.1 > 0 }
        let source = sources.map { sources.count == 1 ? $0.0 : "\($0.0) (\($0.1) parts)" }.joined(separator: ", ")
        return [
            "layers": "\(assignment.layers)", "in_place_megabytes": "\(summary.inPlaceByteCount / 1_000_000)",
            "from": "\(source)", "megabytes": "\(weightByteCount / 1_000_000)",
            "milliseconds": "\(Int(seconds * 1000))",
            "megabytes_per_second": "\(Int(Double(weightByteCount) / 1e6 / max(seconds, 1e-6)))",
        ]
    }
}
