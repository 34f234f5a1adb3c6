import Cluster
import CoordinatorClient
import Inference
public import Logging
import Scheduling
import Synchronization
public import Transport
import Trust
import Wire

/// The coordinator: owns membership, the plans and every live sequence, and drives the pipelines.
///
/// The decisions are made by the pure `Membership` and `Router`; this actor brings them time, randomness and the
/// network. One hop per step: a result comes in, the next step goes out.
public actor Coordinator {
    private let configuration: CoordinatorConfiguration
    private let transport: any RPCTransport
    let logger: Logger
    let model: ServedModel

    var membership: Membership
    var router: Router
    private var links: [ControlStreamID: WorkerLink] = [:]
    private var lastStreamNumber: UInt64 = 0
    /// Where the steps of the replicas that serve go.
    private var firstStages: [ReplicaID: WorkerLink] = [:]
    private var streams = RequestStreams()
    private var grammars = GrammarDesk()
    var clients: ClientDesk
    private let grammarCompiler: GrammarCompiler
    private var generator = SystemRandomNumberGenerator()
    private var listener: (any RPCListener)?
    /// Since when no replica serves, in milliseconds.
    private var outageBegan: Double?
    private var isStopping = false
    private var notedPreemptionCount = 0
    private(set) var servedPlanCount = 0
    private(set) var interruptionCount = 0
    let turnaround = TurnaroundMeter()
    /// What the health service answers, readable without waiting for the actor.
    private let isServing = Mutex(false)

    private let clock = ContinuousClock()
    private let began: ContinuousClock.Instant

    /// When `tick` last ran, and how long the process stood still in all.
    private var lastTickMilliseconds = 0.0
    private var stoppedMilliseconds = 0.0

    private static let stallMilliseconds = 1000.0
    private static let tickPause = Duration.milliseconds(100)
    private static let helloPatience = Duration.seconds(5)

    /// Opens the checkpoint. Throws what is wrong with it or with the configuration.
    public init(configuration: CoordinatorConfiguration, transport: any RPCTransport, logger: Logger) throws {
        self.configuration = configuration
        self.transport = transport
        self.logger = logger
        let model = try ServedModel(configuration: configuration)
        self.model = model
        grammarCompiler = GrammarCompiler(
            tokenizerDefinition: model.tokenizerDefinition, model: model.description)
        membership = Membership(configuration: model.clusterConfiguration(configuration), term: 1)
        router = Router(configuration: model.schedulerConfiguration(configuration))
        clients = ClientDesk(configuration.clientKeys, logger: logger)
        began = clock.now
        outageBegan = 0
    }

    /// Layers of the model, the most workers that a pipeline can have.
    public var layerCount: Int { model.description.layerCount }

    /// Why the first plan cannot be carried out; nil while there is hope.
    public var startFailure: String? {
        guard case .waiting(let reason) = membership.phase else { return nil }
        let workers = membership.workerStatuses()
        let isComplete = workers.count >= configuration.minimumWorkerCount
        return isComplete || workers.contains { $0.state == .failed } ? reason : nil
    }

    /// Opens the door for workers and gateways and returns the port.
    ///
    /// - Parameter others: what is served beside the coordinator's own methods.
    public func start(serving others: [RPCMethod: RPCHandler] = [:]) async throws -> Int {
        let handlers: [RPCMethod: RPCHandler] = [
            Services.join: { [weak self] stream in try await self?.serveWorker(stream) }
        ]
        let engine = EngineService.handlers(engine: self).merging(
            DrainService.handlers { [weak self] node in try await self?.drain(node) }
        ) { first, _ in first }
        let health = HealthService.handlers(serving: { [weak self] in self?.isServing.withLock { $0 } ?? false })
        let weights = WeightsDesk(
            modelPath: configuration.modelPath, fingerprint: model.description.fingerprint,
            cacheDirectory: configuration.cacheDirectory, logger: logger)
        let all = handlers.merging(engine) { first, _ in first }.merging(health) { first, _ in first }
            .merging(weights.handlers) { first, _ in first }.merging(others) { first, _ in first }
        let listener = try await transport.listen(
            host: configuration.bindHost, port: configuration.bindPort, handlers: all)
        self.listener = listener
        logger.info("Listening for workers and gateways", metadata: ["address": "\(listener.host):\(listener.port)"])
        return listener.port
    }

    /// Serves until the task is cancelled; then workers are dismissed and requests ended.
    public func run() async throws {
        while !Task.isCancelled {
            tick()
            try? await Task.sleep(for: Self.tickPause)
        }
        await stop()
    }

    private func stop() async {
        isStopping = true
        isServing.withLock { $0 = false }
        router.failAll(EngineError(code: .unavailable, message: "the coordinator is shutting down"))
        firstStages = [:]
        deliverEvents()
        for link in links.values {
            if configuration.dismissesWorkers {
                link.send(.shutdown(reason: "the coordinator is shutting down"))
            }
            await link.close()
        }
        await listener?.shutdown(grace: .seconds(1))
        listener = nil
    }

    /// Milliseconds since the coordinator began, those apart in which it was stopped itself.
    var now: Double { elapsed - stoppedMilliseconds }

    private var elapsed: Double {
        let (seconds, attoseconds) = began.duration(to: clock.now).components
        return Double(seconds) * 1e3 + Double(attoseconds) / 1e15
    }

    private func tick() {
        // A coordinator that was stopped (a signal, a machine asleep) must not take its workers for silent.
        let elapsed = elapsed
        let gap = elapsed - lastTickMilliseconds
        if gap > Self.stallMilliseconds { stoppedMilliseconds += gap }
        lastTickMilliseconds = elapsed
        perform(membership.handle(.inFlight(router.oldestSteps), now: now))
        perform(membership.handle(.tick, now: now))
        router.expire(now: now)
        // While a plan is being carried out, there is hope.
        if case .loading = membership.phase, outageBegan != nil { outageBegan = now }
        if let outageBegan, now - outageBegan > Double(configuration.outageMilliseconds), !router.isIdle {
            router.failAll(unavailable)
        }
        pump()
        notePreemptions()
    }

    /// Answers stay the same without pages to spare; the log says why they take longer.
    private func notePreemptions() {
        let count = router.preemptionCount
        guard count > notedPreemptionCount else { return }
        logger.info(
            "KV pages ran out, sequences are computed again later; more --memory, --kv-memory or a lower --max-running helps",
            metadata: ["sequences": "\(count - notedPreemptionCount)", "pages": "\(router.pageCount)"])
        notedPreemptionCount = count
    }

    // MARK: Workers

    private func serveWorker(_ stream: any RPCStream) async throws {
        guard !isStopping else { throw RPCError(.unavailable, "the coordinator is shutting down") }
        lastStreamNumber += 1
        let id = ControlStreamID(lastStreamNumber)
        let link = WorkerLink(stream: stream, logger: logger)
        links[id] = link
        let patience = Task { [weak self] in
            try await Task.sleep(for: Self.helloPatience)
            await self?.dropUnlessJoined(id)
        }
        defer { patience.cancel() }
        var reason = "the connection was closed"
        do {
            for try await bytes in stream.messages {
                let arrival = clock.now
                let message = try WorkerMessage(wireBytes: bytes)
                if case .hello(let hello) = message, let node = stream.caller.node, node.name != hello.node.rawValue {
                    link.send(.refused(message: "its certificate is for \(node.name), not for \(hello.node)"))
                    reason = "it claimed to be another node"
                    break
                }
                receive(message, on: id, arrival: arrival)
            }
        } catch {
            reason = "\(error)"
        }
        links[id] = nil
        if !isStopping {
            perform(membership.handle(.disconnected(id, reason: reason), now: now))
            pump()
        }
        await link.close()
    }

    /// Takes a worker out of service; throws when it is needed or unknown.
    func drain(_ node: NodeID) throws {
        do throws(DrainRefusal) {
            perform(try membership.drain(node, now: now))
        } catch {
            throw RPCError(error.code == .unknownWorker ? .notFound : .failedPrecondition, error.message)
        }
        pump()
    }

    private func dropUnlessJoined(_ id: ControlStreamID) {
        guard membership.node(of: id) == nil else { return }
        links[id]?.drop("no hello came within \(Self.helloPatience)")
    }

    private func receive(_ message: WorkerMessage, on id: ControlStreamID, arrival: ContinuousClock.Instant) {
        var resultArrival: ContinuousClock.Instant?
        // Only the last stage of a replica has results.
        if case .result(let result) = message, let node = membership.node(of: id),
            node == membership.replica(of: result.epoch)?.placement.stages.last?.node
        {
            resultArrival = arrival
            if case .fault(let problem) = router.apply(result, now: now) {
                logger.error("The pipeline broke its contract", metadata: ["problem": "\(problem)"])
                perform(membership.handle(.pipelineFailed(result.epoch, reason: problem), now: now))
            }
        }
        perform(membership.handle(.message(id, message), now: now))
        pump(resultArrival: resultArrival)
    }

    private func perform(_ directives: [ClusterDirective]) {
        for directive in directives {
            switch directive {
            case .send(let id, let message): links[id]?.send(message)
            case .close(let id, let reason):
                guard let link = links.removeValue(forKey: id) else { break }
                Task {
                    await link.close()
                    link.drop(reason)
                }
            case .suspect(let replica, let reason): router.suspectRequestsInFlight(replica, reason: reason)
            case .suspend(let replica, let reason):
                logger.warning(
                    "Serving is interrupted", metadata: ["replica": "\(replica.rawValue)", "reason": "\(reason)"])
                interruptionCount += 1
                router.suspend(replica)
                firstStages[replica] = nil
                guard firstStages.isEmpty else { break }
                outageBegan = now
                isServing.withLock { $0 = false }
            case .serve(let replica, let stage0): serve(replica, stage0)
            case .pause(let replica): router.pause(replica)
            case .resume(let replica): router.resume(replica)
            case .succeed(let replica, let stage0): succeed(replica, stage0)
            case .note(let text):
                logger.info("\(text)")
            }
        }
    }

    private func serve(_ replica: Replica, _ stage0: ControlStreamID) {
        let placement = replica.placement
        note("Serving", replica)
        router.serve(
            replica.id, epoch: replica.epoch, pageCount: placement.pageCount, stageCount: placement.stages.count,
            fillingStepCount: placement.fillingStepCount, tokensPerSecond: replica.tokensPerSecond)
        firstStages[replica.id] = links[stage0]
        servedPlanCount += 1
        outageBegan = nil
        isServing.withLock { $0 = true }
    }

    /// The new plan of a replica goes on where the old one was.
    private func succeed(_ replica: Replica, _ stage0: ControlStreamID) {
        let placement = replica.placement
        note("Serving with a new plan, without computing anything again", replica)
        router.succeed(
            replica.id, epoch: replica.epoch, stageCount: placement.stages.count,
            fillingStepCount: placement.fillingStepCount, tokensPerSecond: replica.tokensPerSecond)
        firstStages[replica.id] = links[stage0]
        servedPlanCount += 1
    }

    private func note(_ message: Logger.Message, _ replica: Replica) {
        let stages = replica.placement.stages.map { "\($0.node): \($0.layers)" }.joined(separator: ", ")
        logger.notice(
            message,
            metadata: [
                "replica": "\(replica.id.rawValue)", "epoch": "\(replica.epoch)", "layers": "\(stages)",
                "kv_pages": "\(replica.placement.pageCount)",
            ])
    }

    // MARK: Requests

    /// Sends every step that may go now and hands out what happened.
    ///
    /// - Parameter resultArrival: when the result came that the first of them follows.
    private func pump(resultArrival: ContinuousClock.Instant? = nil) {
        if !isStopping {
            for epoch in router.quietEpochs { perform(membership.handle(.quiet(epoch), now: now)) }
            var arrival = resultArrival
            while let (replica, step) = router.nextStep(now: now, mask: mask) {
                let sent = arrival.map { arrival in
                    { @Sendable [turnaround, clock] in turnaround.record(arrival.duration(to: clock.now)) }
                }
                firstStages[replica]?.send(.step(step), sent: sent)
                arrival = nil
            }
        }
        deliverEvents()
    }

    private func deliverEvents() {
        for event in router.takeEvents() {
            if event.isLast { grammars.close(event.ticket) }
            clients.note(event, now: now)
            if case .failed(let ticket, let error) = event, error.code == .requestFailed {
                logger.error("A request makes workers fail", metadata: ["request": "\(ticket)", "error": "\(error)"])
            }
            streams.deliver(event)
        }
    }

    private func mask(_ ticket: RequestTicket, _ choice: Int, _ generated: [Int32]) -> TokenMask? {
        grammars.mask(ticket, choice: choice, generated: generated)
    }

    var unavailable: EngineError {
        let reason =
            if case .waiting(let reason) = membership.phase { reason } else { "the workers are loading the model" }
        return EngineError(
            code: .unavailable, message: "the cluster cannot serve now: \(reason)", retryAfterSeconds: 5)
    }

    /// Has the request's grammar compiled, elsewhere, unless it is here already.
    func prepareGrammar(of request: GenerationRequest) async throws {
        guard let constraint = request.grammar, !grammars.knows(constraint) else { return }
        try grammars.add(constraint, try await grammarCompiler.machine(for: constraint))
    }

    func submit(_ request: GenerationRequest) throws -> GenerationStream {
        guard !isStopping else {
            throw EngineError(code: .unavailable, message: "the coordinator is shutting down")
        }
        if let outageBegan, now - outageBegan > Double(configuration.outageMilliseconds) { throw unavailable }
        try grammars.check(request)
        var logger = logger
        logger[metadataKey: "request_id"] = "\(request.id)"
        for (key, value) in request.trace?.logFields ?? [] { logger[metadataKey: key] = .string(value) }
        var request = request
        let charge: ClientDesk.Charge?
        let ticket: RequestTicket
        do throws(EngineError) {
            charge = try clients.admit(&request, contextLength: model.description.contextLength, now: now)
            do throws(EngineError) {
                ticket = try router.submit(request, now: now, using: &generator)
            } catch {
                clients.undo(charge, now: now)
                throw error
            }
            clients.open(ticket, charge)
        } catch {
            logger.info("Refused", metadata: ["error": "\(error)"])
            throw error
        }
        logger.info(
            "Admitted",
            metadata: [
                "prompt_tokens": "\(request.prompt.count)", "choices": "\(request.choiceCount)",
                "client": "\(request.client)",
            ])
        grammars.open(ticket, request)
        let (events, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
        streams.add(ticket, continuation, logger: logger)
        continuation.onTermination = { [weak self] termination in
            guard case .cancelled = termination else { return }
            Task { await self?.cancel(ticket) }
        }
        pump()
        return GenerationStream(
            events: events, limits: charge?.limits,
            cancelChoice: { [weak self] choice in Task { await self?.cancel(choice, of: ticket) } })
    }

    private func cancel(_ ticket: RequestTicket) {
        router.cancel(ticket, now: now)
        pump()
    }

    private func cancel(_ choice: Int, of ticket: RequestTicket) {
        router.cancelChoice(choice, of: ticket, now: now)
        pump()
    }
}
