public import Inference

/// Who belongs to the cluster, who holds what, and in which epoch: a synchronous state machine.
///
/// It takes what the shell saw and returns what the shell shall do; time (milliseconds on any steady clock) is an
/// argument. A worker is lost when its control stream ends or when it is silent for too long. Whenever a stage is lost
/// or fails, the plan falls, and a new one is made with those that are left. A worker that joins while a plan
/// stands waits as a spare. A worker that failed is tried again, since the fault is often its neighbour's; after
/// `failureLimit` failures that follow closely it is left out until it joins anew.
public struct Membership: Sendable {
    /// Where the placement stands.
    public enum Phase: Hashable, Sendable {
        /// Too few workers, or too little memory; `reason` says which and what to do.
        case waiting(reason: String)
        case loading(Placement)
        case serving(Placement)
    }

    public let configuration: ClusterConfiguration
    public private(set) var phase: Phase
    /// The epoch of the latest plan; plan 0 before the first one.
    public private(set) var epoch: Epoch

    /// The highest epoch that any worker has seen.
    private var highestSeen: Epoch
    private var workers: [NodeID: WorkerRecord] = [:]
    private var nodes: [ControlStreamID: NodeID] = [:]
    /// Stages that did not report ready yet.
    private var loading: Set<NodeID> = []
    private var joinedCount: UInt64 = 0
    private var hasPlanned = false
    private var directives: [ClusterDirective] = []

    /// Failures in a row after which a worker is not planned with.
    public static let failureLimit = 3
    /// After serving for so long, earlier failures are forgiven.
    private static let forgivingMilliseconds = 60_000.0
    /// Terms above this come from a broken worker: they leave no room for the terms to come.
    private static let termLimit = UInt64.max / 2

    /// Begins a reign; `term` is higher than that of every earlier reign that is known.
    public init(configuration: ClusterConfiguration, term: UInt64) {
        self.configuration = configuration
        epoch = Epoch(term: min(term, Self.termLimit), plan: 0)
        highestSeen = epoch
        phase = .waiting(reason: Self.waitingReason(present: 0, wanted: configuration.minimumWorkerCount))
    }

    /// Takes an event and returns what to do.
    public mutating func handle(_ event: ClusterEvent, now: Double) -> [ClusterDirective] {
        switch event {
        case .message(let stream, .hello(let hello)): join(hello, stream, now: now)
        case .message(let stream, let message): hear(message, stream, now: now)
        case .disconnected(let stream, let reason): lose(stream, reason, now: now)
        case .pipelineFailed(let failed, let reason):
            if failed == epoch, placement != nil {
                fall("the pipeline failed: \(reason)")
                place(now: now)
            }
        case .tick: checkSilence(now: now)
        }
        defer { directives = [] }
        return directives
    }

    /// The placement that is loaded or served.
    public var placement: Placement? {
        switch phase {
        case .waiting: nil
        case .loading(let placement), .serving(let placement): placement
        }
    }

    /// The workers for the status, in pipeline order, then those without layers in order of joining.
    public func workerStatuses() -> [WorkerStatus] {
        let stages = placement?.stages ?? []
        let staged = stages.compactMap { stage in workers[stage.node]?.status(layers: stage.layers) }
        let used = Set(stages.map(\.node))
        let others = inOrder.filter { !used.contains($0.hello.node) }.map { $0.status(layers: nil) }
        return staged + others
    }

    /// The worker behind a control stream, for logs.
    public func node(of stream: ControlStreamID) -> NodeID? { nodes[stream] }

    private var inOrder: [WorkerRecord] { workers.values.sorted { $0.order < $1.order } }

    // MARK: Joining and leaving

    private mutating func join(_ hello: WorkerHello, _ stream: ControlStreamID, now: Double) {
        if let problem = refusal(hello, stream) {
            directives.append(.send(stream, .refused(message: problem)))
            directives.append(.close(stream, reason: problem))
            return
        }
        // The same worker again, before its old stream was seen to end; another one of this name was refused.
        if let old = workers[hello.node] {
            directives.append(.close(old.stream, reason: "worker \(hello.node) joined again on another connection"))
            lose(old.stream, "joined again", now: now)
        }
        highestSeen = max(highestSeen, hello.highestEpoch)
        workers[hello.node] = WorkerRecord(hello: hello, stream: stream, order: joinedCount, lastHeardMilliseconds: now)
        nodes[stream] = hello.node
        joinedCount += 1
        directives.append(.note("worker \(hello.node) joined from \(hello.host):\(hello.port)"))
        let heartbeat = configuration.heartbeatMilliseconds
        directives.append(.send(stream, .welcome(epoch: epoch, heartbeatMilliseconds: heartbeat)))
        if placement == nil { place(now: now) }
    }

    private func refusal(_ hello: WorkerHello, _ stream: ControlStreamID) -> String? {
        if let node = nodes[stream] { return "a second hello on the stream of worker \(node)" }
        if hello.host.isEmpty || !(1...65535).contains(hello.port) {
            return "worker \(hello.node) names no address that others can dial (\(hello.host):\(hello.port))"
        }
        if let other = workers[hello.node]?.hello,
            (other.processID, other.host) != (hello.processID, hello.host)
        {
            return "another worker named \(hello.node) is here already (process \(other.processID) at \(other.host)); "
                + "give this one another --name"
        }
        if hello.node.rawValue.isEmpty { return "the worker has an empty name" }
        if hello.protocolVersion != ProtocolVersion.current {
            return "worker \(hello.node) speaks protocol version \(hello.protocolVersion), this coordinator "
                + "\(ProtocolVersion.current): install the same release on both"
        }
        if hello.numericsVersion != configuration.numericsVersion {
            return "worker \(hello.node) computes by numerics version \(hello.numericsVersion), this cluster by "
                + "\(configuration.numericsVersion): install the same release on both"
        }
        if hello.highestEpoch.term > Self.termLimit {
            return "worker \(hello.node) claims to have seen \(hello.highestEpoch), which cannot be"
        }
        return nil
    }

    private mutating func lose(_ stream: ControlStreamID, _ reason: String, now: Double) {
        guard let node = nodes.removeValue(forKey: stream) else { return }
        workers[node] = nil
        directives.append(.note("worker \(node) is lost: \(reason)"))
        replaceIfStage(node, "worker \(node) is lost: \(reason)", now: now)
    }

    private mutating func checkSilence(now: Double) {
        let limit = Double(configuration.silenceMilliseconds)
        for worker in inOrder where now - worker.lastHeardMilliseconds > limit {
            let reason = "silent for more than \(configuration.silenceMilliseconds) ms"
            directives.append(.close(worker.stream, reason: reason))
            lose(worker.stream, reason, now: now)
        }
    }

    // MARK: What workers report

    private mutating func hear(_ message: WorkerMessage, _ stream: ControlStreamID, now: Double) {
        guard let node = nodes[stream] else {
            directives.append(.close(stream, reason: "the first message must be a hello"))
            return
        }
        workers[node]?.lastHeardMilliseconds = now
        switch message {
        case .hello, .result: break
        case .heartbeat(let heartbeat):
            if heartbeat.epoch == epoch { workers[node]?.heartbeat = heartbeat }
        case .loadProgress(let of, let progress):
            guard of == epoch, progress.totalByteCount > 0, loading.contains(node) else { break }
            workers[node]?.loadedFraction = progress.fraction
            workers[node]?.load = progress
        case .ready(let of, let memoryByteCount):
            if of == epoch { becomeReady(node, memoryByteCount, now: now) }
        case .failed(let of, let text):
            guard of == epoch else { break }
            workers[node]?.fail(text, forgiving: Self.forgivingMilliseconds, now: now)
            directives.append(.note("worker \(node) failed: \(text)"))
            replaceIfStage(node, "worker \(node) failed: \(text)", now: now)
        case .goodbye(let reason):
            directives.append(.close(stream, reason: "goodbye"))
            lose(stream, "it leaves: \(reason)", now: now)
        }
    }

    private mutating func becomeReady(_ node: NodeID, _ memoryByteCount: Int, now: Double) {
        guard case .loading(let placement) = phase, loading.remove(node) != nil else { return }
        workers[node]?.state = .ready
        workers[node]?.loadedFraction = 1
        workers[node]?.load = nil
        workers[node]?.detail = nil
        workers[node]?.memoryByteCount = max(0, memoryByteCount)
        guard loading.isEmpty, let first = placement.stages.first, let stage0 = workers[first.node]?.stream else {
            return
        }
        for stage in placement.stages { workers[stage.node]?.servingSinceMilliseconds = now }
        phase = .serving(placement)
        directives.append(.serve(epoch, placement, stage0: stage0))
    }

    // MARK: Plans

    /// A stage that is gone brings the plan down; a spare does not.
    private mutating func replaceIfStage(_ node: NodeID, _ reason: String, now: Double) {
        guard let placement else {
            place(now: now)
            return
        }
        guard placement.stages.contains(where: { $0.node == node }) else { return }
        fall(reason)
        place(now: now)
    }

    private mutating func fall(_ reason: String) {
        if case .serving = phase { directives.append(.suspend(reason: reason)) }
        phase = .waiting(reason: reason)
        loading = []
    }

    /// Makes a plan with the workers that are there, or says why there is none.
    private mutating func place(now: Double) {
        let usable = inOrder.filter { $0.failureCount < Self.failureLimit }
        let wanted = hasPlanned ? 1 : configuration.minimumWorkerCount
        guard usable.count >= wanted else {
            phase = .waiting(reason: waitingReason(present: usable.count, wanted: wanted))
            return
        }
        do throws(PlacementError) {
            let capacities = usable.map(\.capacity)
            let placement = PlacementPlanner.filled(
                try plan(capacities), workers: capacities, model: configuration.model,
                pageLimit: configuration.pageLimit)
            begin(placement, now: now)
        } catch {
            phase = .waiting(reason: error.message)
            directives.append(.note("no plan: \(error.message)"))
        }
    }

    private func plan(_ capacities: [WorkerCapacity]) throws(PlacementError) -> Placement {
        let load = StepLoad.typical(pageCount: configuration.pageCount)
        guard let layerCounts = configuration.layerCounts, layerCounts.count <= capacities.count || !hasPlanned else {
            return try PlacementPlanner.plan(
                workers: capacities, model: configuration.model, pageCount: configuration.pageCount, load: load)
        }
        return try PlacementPlanner.plan(
            workers: capacities, model: configuration.model, pageCount: configuration.pageCount,
            layerCounts: layerCounts, load: load)
    }

    private mutating func begin(_ placement: Placement, now: Double) {
        // Above everything that any worker has seen, or it would refuse.
        let term = highestSeen > epoch ? max(epoch.term, highestSeen.term + 1) : epoch.term
        epoch = Epoch(term: term, plan: epoch.plan + 1)
        highestSeen = epoch
        hasPlanned = true
        phase = .loading(placement)
        loading = Set(placement.stages.map(\.node))
        for node in workers.keys {
            workers[node]?.heartbeat = nil
            workers[node]?.servingSinceMilliseconds = nil
            workers[node]?.memoryByteCount = 0
            workers[node]?.loadedFraction = 0
            workers[node]?.load = nil
            if loading.contains(node) {
                workers[node]?.state = .loading
            } else if workers[node]?.state != .failed {
                workers[node]?.state = .joined
            }
        }
        for (index, stage) in placement.stages.enumerated() {
            guard let stream = workers[stage.node]?.stream else { continue }
            let following = index + 1 < placement.stages.count ? placement.stages[index + 1].node : nil
            let assignment = StageAssignment(
                epoch: epoch, stage: index, stageCount: placement.stages.count, layers: stage.layers,
                modelPath: configuration.modelPath, modelFingerprint: configuration.modelFingerprint,
                kvType: configuration.kvType, pageCount: placement.pageCount, maxRowCount: configuration.maxRowCount,
                vocabularyLimit: configuration.vocabularyLimit, next: following.flatMap { workers[$0]?.address })
            directives.append(.send(stream, .assign(assignment)))
        }
    }

    private func waitingReason(present: Int, wanted: Int) -> String {
        let failures = inOrder.filter { $0.state == .failed }.map { "\($0.hello.node): \($0.detail ?? "failed")" }
        let base = Self.waitingReason(present: present, wanted: wanted)
        return failures.isEmpty ? base : base + " (failed: " + failures.joined(separator: "; ") + ")"
    }

    private static func waitingReason(present: Int, wanted: Int) -> String {
        "\(present) of \(wanted) workers joined; start more with: phalanx worker --join HOST:PORT"
    }
}
