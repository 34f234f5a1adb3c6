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
    private let transport: any RPCTransport
    private let logger: Logger
    private let report: @Sendable (WorkerMessage) async -> Void
    private let queue: StageQueue
    private let link: ForwardLink?
    private let work = Mutex<Task<Void, Never>?>(nil)
    private let hidden = Mutex(0)
    private let running = Mutex<StageHost?>(nil)
    /// The worker's stage of the epoch before, while this one is prepared beside it.
    private let predecessor: Mutex<ActiveStage?>
    /// Ends when the epoch before computes no more; nothing comes for a plan that begins with nothing.
    private let takingOver = AsyncStream.makeStream(of: Void.self)
    /// Ends with the work; the next stage listens.
    private let ended = AsyncStream.makeStream(of: Void.self)

    /// For the stage before to end: no step takes as long.
    private static let endPatience = Duration.seconds(30)

    /// - Parameter predecessor: the stage that this one is prepared beside; nil when there is none.
    init(
        assignment: StageAssignment, beside predecessor: ActiveStage? = nil, configuration: WorkerConfiguration,
        models: ModelStore, parts: LoadedParts,
        transport: any RPCTransport, logger: Logger, report: @escaping @Sendable (WorkerMessage) async -> Void
    ) {
        self.assignment = assignment
        self.predecessor = Mutex(predecessor)
        self.configuration = configuration
        self.models = models
        self.parts = parts
        self.transport = transport
        self.logger = logger
        self.report = report
        // One more than the coordinator's credits, for the step that only retires sequences.
        let capacity = assignment.stageCount + 2
        queue = StageQueue(epoch: assignment.epoch, capacity: capacity)
        link = assignment.next.map { next in
            ForwardLink(transport: transport, next: next, keptCount: capacity, logger: logger) { message in
                Task { await report(.failed(epoch: assignment.epoch, message: message, isLink: true)) }
            }
        }
    }

    /// The width of the rows that arrive; 0 until the checkpoint is open, which refuses them all.
    var hiddenSize: Int { hidden.withLock { $0 } }

    var isNextLinkUp: Bool {
        get async { await link?.isUp ?? true }
    }

    func offer(_ activation: Activation) -> StageQueue.Verdict { queue.offer(activation) }

    /// The computation; nil before it begins.
    var host: StageHost? { running.withLock { $0 } }

    /// The epoch before computes no more.
    func takeOver() { takingOver.continuation.finish() }

    /// Begins when the stages before have ended, so that they are never in memory together.
    func start(after old: [ActiveStage]) {
        let task = Task {
            defer { self.ended.continuation.finish() }
            var haveEnded = true
            for stage in old where haveEnded { haveEnded = await stage.ends(within: Self.endPatience) }
            guard haveEnded, !Task.isCancelled else {
                guard !Task.isCancelled else {
                    for stage in old { await stage.waitUntilEnded() }
                    return
                }
                let message =
                    "the stage before has not ended for \(Self.endPatience): its computation hangs, or it still reads a large "
                    + "file; restart this worker if it goes on"
                self.logger.error("\(message)")
                await self.report(.failed(epoch: self.assignment.epoch, message: message))
                for stage in old { await stage.waitUntilEnded() }
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
        takingOver.continuation.finish()
        await link?.close()
    }

    private func carryOut() async throws {
        let host = StageHost(
            assignment: assignment, configuration: configuration, parts: parts, progress: progress)
        running.withLock { $0 = host }
        defer {
            running.withLock { $0 = nil }
            predecessor.withLock { $0 = nil }
        }
        let memoryByteCount = try await load(host)
        try await openLink()
        if let epoch = assignment.predecessor {
            try await takePages(of: epoch, to: host) {
                await report(.ready(epoch: assignment.epoch, memoryByteCount: memoryByteCount))
            }
            progress.beginServing()
            await report(.moved(epoch: assignment.epoch))
        } else {
            progress.beginServing()
            await report(.ready(epoch: assignment.epoch, memoryByteCount: memoryByteCount))
        }
        logger.info(
            "Serving",
            metadata: [
                "layers": "\(assignment.layers)", "stage": "\(assignment.stage + 1) of \(assignment.stageCount)",
                "epoch": "\(assignment.epoch)",
            ])
        for await activation in queue.activations {
            logAdmissions(of: activation.step)
            let outcome = try await host.run(activation)
            queue.finished()
            switch outcome {
            case .activation(let activation): await link?.send(activation.wireBytes())
            case .result(let result): await report(.result(result))
            }
        }
    }

    /// Fetches the pages of the epoch before: most of them while it computes on, the rest when it has ended.
    ///
    /// - Parameter prepared: called in between.
    private func takePages(of epoch: Epoch, to host: StageHost, prepared: () async -> Void) async throws {
        guard let cache = await host.cache else { throw WorkerError("the stage has no pages") }
        let own = await predecessor.withLock { $0 }?.host?.cache
        let strange = (assignment.layers.first..<assignment.layers.end).first { layer in
            !assignment.sources.contains { $0.layers.contains(layer) }
                && own.map { cache.shares(layer, with: $0) } != true
        }
        if let strange {
            throw WorkerError("nobody was named who has the pages of layer \(strange) in \(epoch), nor has this worker")
        }
        let transfer = PageTransfer(
            transport: transport, epoch: epoch, sources: assignment.sources, byteCount: cache.layerByteCount,
            pageCount: assignment.pageCount
        ) { page, layer, contents in await host.replace(page, layer: layer, with: contents) }
        var clocks = try await transfer.fetch(since: [])
        // What was written during the first, long, one.
        clocks = try await transfer.fetch(since: clocks)
        await prepared()
        for await _ in takingOver.stream {}
        try Task.checkCancellation()
        _ = try await transfer.fetch(since: clocks)
        if let journal = await predecessor.withLock({ $0 })?.host?.journal { await host.adopt(journal) }
        predecessor.withLock { $0 = nil }
    }

    private func logAdmissions(of step: Step) {
        guard logger.logLevel <= .debug else { return }
        for admission in step.admissions {
            var logger = logger
            for (key, value) in admission.trace?.logFields ?? [] { logger[metadataKey: key] = .string(value) }
            logger.debug(
                "Admitted",
                metadata: [
                    "request_id": "\(admission.request)", "sequence": "\(admission.sequence.rawValue)",
                    "step": "\(step.number)", "epoch": "\(step.epoch)",
                ])
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
        let shared = await predecessor.withLock { $0 }?.host?.cache
        let loaded = try await models.load(assignment, keeping: parts, report: { continuation.yield($0) }) {
            [assignment, logger] checkpoint in
            let began = ContinuousClock.now
            let loaded = try await host.load(checkpoint, sharing: shared) { continuation.yield($0) }
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
