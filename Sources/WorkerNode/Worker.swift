import CoordinatorClient
import Inference
import Kernels
public import Logging
import Phi
public import Transport
import Trust
import Wire

/// A worker: joins a coordinator, holds the layers that it is given, and computes.
///
/// It keeps its weights and its door open while the coordinator is away, and joins again when it comes back.
public actor Worker {
    private let configuration: WorkerConfiguration
    private let transport: any RPCTransport
    private let logger: Logger
    private let models: ModelStore

    private var listener: (any RPCListener)?
    private var control: ControlLink?
    private var stage: ActiveStage?
    /// Is prepared, and is to take the place of `stage`.
    private var successor: ActiveStage?
    /// Also while there is no stage: the next one may need them.
    private let parts = LoadedParts()
    /// Joins, again and again; cancelled to end the worker.
    private var joining: Task<Void, any Error>?
    private var isLeaving = false
    private var highestEpoch = Epoch(term: 0, plan: 0)

    /// Pauses between attempts to join, doubling from the first to the last.
    private static let firstPause = Duration.milliseconds(100)
    private static let longestPause = Duration.seconds(5)
    private static let connectTimeout = Duration.seconds(5)
    /// For the coordinator to take note of a goodbye.
    private static let goodbyePatience = Duration.seconds(1)

    public init(configuration: WorkerConfiguration, transport: any RPCTransport, logger: Logger) {
        self.configuration = configuration
        self.transport = transport
        self.logger = logger
        models = ModelStore(configuration: configuration, transport: transport, logger: logger)
    }

    /// Serves until the task is cancelled or the coordinator says goodbye.
    ///
    /// Throws `WorkerError` when the coordinator refuses the worker, `KernelsError` when this machine computes wrong
    /// numbers, and what `listen` throws.
    public func run() async throws {
        try KernelCheck.run()
        let handlers = HealthService.handlers(serving: { true }).merging(
            [
                Services.forward: { [weak self] stream in try await self?.receiveActivations(stream) },
                Services.readWeights: models.readHandler,
                Services.pages: { [weak self] stream in try await self?.servePages(stream) },
            ],
            uniquingKeysWith: { first, _ in first })
        let listener = try await transport.listen(
            host: configuration.bindHost, port: configuration.bindPort, handlers: handlers)
        self.listener = listener
        logger.info("Listening for the previous stage", metadata: ["address": "\(listener.host):\(listener.port)"])
        let joining = Task { try await joinUntilDismissed(port: listener.port) }
        self.joining = joining
        do {
            try await withTaskCancellationHandler {
                try await joining.value
            } onCancel: {
                joining.cancel()
            }
        } catch is CancellationError {
            // The way to stop a worker.
        } catch {
            await shutDown()
            throw error
        }
        await shutDown()
    }

    /// Asks the coordinator to give this worker's layers to others, and ends once it has; while the cluster cannot do
    /// without it, after `patience`, with a goodbye. A worker that has not joined ends at once.
    public func leave(within patience: Duration) {
        guard !isLeaving else { return }
        isLeaving = true
        guard let control else {
            joining?.cancel()
            return
        }
        logger.notice("Asking to be drained", metadata: ["patience": "\(patience)"])
        control.send(.askToLeave)
        Task {
            try? await Task.sleep(for: patience)
            self.control?.send(.goodbye(reason: "it was told to end, and was not drained within \(patience)"))
            try? await Task.sleep(for: Self.goodbyePatience)
            self.joining?.cancel()
        }
    }

    private func shutDown() async {
        await replaceStages(with: nil)
        parts.release()
        await listener?.shutdown(grace: .seconds(1))
        listener = nil
    }

    // MARK: The coordinator

    private func joinUntilDismissed(port: Int) async throws {
        var pause = Self.firstPause
        while true {
            try Task.checkCancellation()
            do {
                let isDismissed = try await join(port: port) { pause = Self.firstPause }
                if isDismissed || isLeaving { return }
                logger.warning("The coordinator went away; joining again")
            } catch let error as WorkerError {
                throw error
            } catch let error as CancellationError {
                throw error
            } catch  where isLeaving {
                return
            } catch {
                logger.warning(
                    "Cannot join the coordinator; trying again",
                    metadata: [
                        "coordinator": "\(configuration.coordinatorHost):\(configuration.coordinatorPort)",
                        "error": "\(error)", "pause": "\(pause)",
                    ])
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// One membership: returns true when the coordinator dismissed the worker, false when the connection ended.
    private func join(port: Int, whenWelcome: () -> Void) async throws -> Bool {
        let connection = try await transport.connect(
            host: configuration.coordinatorHost, port: configuration.coordinatorPort, timeout: Self.connectTimeout,
            expecting: .coordinator)
        do {
            let stream = try await connection.call(Services.join, timeout: nil)
            let link = ControlLink(stream: stream, logger: logger)
            control = link
            link.send(.hello(hello(port: port)))
            defer {
                link.close()
                control = nil
            }
            for try await bytes in stream.messages {
                let message = try CoordinatorMessage(wireBytes: bytes)
                if case .welcome = message { whenWelcome() }
                if try await handle(message, from: link) {
                    await connection.close()
                    return true
                }
            }
            await connection.close()
            return false
        } catch {
            await connection.close()
            throw error
        }
    }

    private func hello(port: Int) -> WorkerHello {
        WorkerHello(
            protocolVersion: ProtocolVersion.current, numericsVersion: numericsVersion, node: configuration.node,
            host: configuration.advertisedHost, port: port, processID: configuration.processID,
            threadCount: configuration.threadCount, memoryByteCount: configuration.memoryByteCount,
            bytesPerSecond: configuration.bytesPerSecond, highestEpoch: highestEpoch,
            instructionSet: ISA.current.rawValue)
    }

    /// Returns true when the worker is dismissed.
    private func handle(_ message: CoordinatorMessage, from link: ControlLink) async throws -> Bool {
        switch message {
        case .welcome(let epoch, let heartbeatMilliseconds):
            logger.info("Joined the coordinator", metadata: ["epoch": "\(epoch)"])
            link.startHeartbeats(everyMilliseconds: heartbeatMilliseconds) { [weak self] in
                await self?.heartbeat()
            }
        case .refused(let message):
            throw WorkerError("the coordinator refused this worker: \(message)")
        case .assign(let assignment):
            await take(assignment, link: link)
        case .step(let step):
            guard let stage = self.stage(of: step.epoch) else {
                link.send(.failed(epoch: step.epoch, message: "step \(step.number) came before an assignment"))
                break
            }
            if case .refused(let reason) = stage.offer(Activation(step: step, rows: [])) {
                link.send(.failed(epoch: step.epoch, message: reason))
            }
        case .takeOver(let epoch):
            if let successor, successor.assignment.epoch == epoch { successor.takeOver() }
        case .retire(let epoch): await retire(epoch)
        case .needed(let reason):
            logger.notice("The cluster needs this worker, which goes on for now", metadata: ["reason": "\(reason)"])
        case .shutdown(let reason):
            logger.info("The coordinator dismissed this worker", metadata: ["reason": "\(reason)"])
            return true
        }
        return false
    }

    private func heartbeat() async -> Heartbeat {
        guard let stage else {
            return Heartbeat(
                epoch: highestEpoch, finishedStepCount: 0, layer: nil, computedRowCount: 0, busyMicroseconds: 0,
                nextLinkUp: false)
        }
        let counts = stage.progress.current
        return Heartbeat(
            epoch: stage.assignment.epoch, finishedStepCount: counts.finishedStepCount, layer: counts.layer,
            computedRowCount: counts.computedRowCount, busyMicroseconds: counts.busyMicroseconds,
            nextLinkUp: await stage.isNextLinkUp, recent: stage.progress.recent)
    }

    // MARK: The stage

    private func take(_ assignment: StageAssignment, link: ControlLink) async {
        guard assignment.epoch > highestEpoch else {
            logger.warning("Ignored an assignment of an old epoch", metadata: ["epoch": "\(assignment.epoch)"])
            return
        }
        highestEpoch = assignment.epoch
        // A spare worker may still have a stage of a plan that fell.
        let serving = assignment.predecessor == stage?.assignment.epoch ? stage : nil
        let new = ActiveStage(
            assignment: assignment, beside: serving, configuration: configuration, models: models,
            parts: parts, transport: transport,
            logger: logger,
            report: { [weak self] message in await self?.control?.send(message) })
        if assignment.predecessor != nil {
            let old = [serving == nil ? stage : nil, successor].compactMap { $0 }
            (stage, successor) = (serving, new)
            for stage in old { await stage.stop() }
            new.start(after: old)
        } else {
            let old = [stage, successor].compactMap { $0 }
            await replaceStages(with: new)
            new.start(after: old)
        }
    }

    private func replaceStages(with new: ActiveStage?) async {
        let old = [stage, successor].compactMap { $0 }
        (stage, successor) = (new, nil)
        for stage in old { await stage.stop() }
    }

    /// One of the stages is over; when it is the one that served, the other takes its place.
    private func retire(_ epoch: Epoch) async {
        let old = [stage, successor].compactMap { $0 }.filter { $0.assignment.epoch == epoch }
        if successor?.assignment.epoch == epoch { successor = nil }
        if stage?.assignment.epoch == epoch { (stage, successor) = (successor, nil) }
        if stage == nil, let successor, successor.assignment.predecessor == epoch {
            (stage, self.successor) = (successor, nil)
        }
        for stage in old { await stage.stop() }
    }

    /// The stage that a step of an epoch is for, or that knows what is wrong with it.
    private func stage(of epoch: Epoch) -> ActiveStage? {
        if let successor, successor.assignment.epoch == epoch || stage == nil { return successor }
        return stage
    }

    private func servePages(_ stream: any RPCStream) async throws {
        var messages = stream.messages.makeAsyncIterator()
        guard let bytes = try await messages.next() else {
            throw RPCError(.invalidArgument, "\(stream.method) needs a request")
        }
        let request: PagesRequest
        do {
            request = try PagesRequest(wireBytes: bytes)
        } catch {
            throw RPCError(.invalidArgument, "\(error)")
        }
        guard let stage, stage.assignment.epoch == request.epoch, let host = stage.host else {
            throw RPCError(.failedPrecondition, "\(configuration.node) has no stage of \(request.epoch)")
        }
        try await PageTransfer.serve(request, of: host, to: stream)
    }

    private func receiveActivations(_ stream: any RPCStream) async throws {
        for try await bytes in stream.messages {
            let stages = [stage, successor].compactMap { $0 }
            guard !stages.isEmpty else {
                throw RPCError(.failedPrecondition, "\(configuration.node) has no layers yet")
            }
            let activation: Activation
            do {
                // All stages are of one model.
                let hiddenSize = stages.map(\.hiddenSize).max() ?? 0
                activation = try Activation(wireBytes: bytes, hiddenSize: hiddenSize)
            } catch {
                throw RPCError(.dataLoss, "\(error)")
            }
            guard let stage = self.stage(of: activation.step.epoch) else { continue }
            if case .refused(let reason) = stage.offer(activation) {
                throw RPCError(.failedPrecondition, reason)
            }
        }
    }
}
