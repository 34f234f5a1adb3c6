public import Inference

/// Who belongs to the cluster, who holds what, and in which epoch: a synchronous state machine.
///
/// It takes what the shell saw and returns what the shell shall do; time (milliseconds on any steady clock) is an
/// argument. A worker is lost when its control stream ends or when it is silent for too long; one that
/// hangs behind live heartbeats, or is cut off from its neighbour, fails (see `checkProgress`). A worker that failed is
/// tried again, since the fault is often its neighbour's; after `failureLimit` failures that follow closely it is only
/// planned with when nothing goes without it, and that after pauses that grow.
///
/// The workers form one or more replicas, pipelines that each hold the whole model (see `plan`); a worker is in one at
/// most, and the others wait as spares. Whenever a stage is lost or fails, its replica falls, and those that are left of it
/// are free. The free workers are planned with whenever there may be a new way to form a replica; replicas that stand are not
/// touched by that. Plan numbers rise over all replicas, so a worker that moves to another one sees a higher epoch.
public struct Membership: Sendable {
    /// Where the placement stands.
    public enum Phase: Hashable, Sendable {
        /// Too few workers, or too little memory; `reason` says which and what to do.
        case waiting(reason: String)
        case loading(Placement)
        case serving(Placement)
    }

    public let configuration: ClusterConfiguration
    /// The epoch of the latest plan; plan 0 before the first one.
    public internal(set) var epoch: Epoch

    /// The highest epoch that any worker has seen.
    var highestSeen: Epoch
    var workers: [NodeID: WorkerRecord] = [:]
    private var nodes: [ControlStreamID: NodeID] = [:]
    var standing: [ReplicaID: Replica] = [:]
    /// Plans that are to take the place of standing ones.
    var successions: [ReplicaID: Succession] = [:]
    /// Of the replicas that serve.
    var watches: [ReplicaID: ProgressWatch] = [:]
    /// Why no replica stands.
    var waitingReason: String
    private var joinedCount: UInt64 = 0
    var hasPlanned = false
    /// When a plan was last sought.
    var plannedMilliseconds = 0.0
    var directives: [ClusterDirective] = []
    /// Workers that failed, were lost or left.
    public internal(set) var workerFailureCount = 0

    /// Failures in a row after which a worker is not planned with while there is another way.
    public static let failureLimit = 3
    /// Terms above this come from a broken worker: they leave no room for the terms to come.
    private static let termLimit = UInt64.max / 2

    /// Begins a reign; `term` is higher than that of every earlier reign that is known.
    public init(configuration: ClusterConfiguration, term: UInt64) {
        self.configuration = configuration
        epoch = Epoch(term: min(term, Self.termLimit), plan: 0)
        highestSeen = epoch
        waitingReason = Self.waitingReason(present: 0, wanted: configuration.minimumWorkerCount)
    }

    /// Takes an event and returns what to do.
    public mutating func handle(_ event: ClusterEvent, now: Double) -> [ClusterDirective] {
        switch event {
        case .message(let stream, .hello(let hello)): join(hello, stream, now: now)
        case .message(let stream, let message): hear(message, stream, now: now)
        case .disconnected(let stream, let reason): lose(stream, reason, isCrash: true, now: now)
        case .pipelineFailed(let failed, let reason):
            if let replica = replica(of: failed) {
                fall(replica, "the pipeline failed: \(reason)", isCrash: true, now: now)
            }
        case .inFlight(let oldestSteps): checkProgress(oldestSteps, now: now)
        case .quiet(let epoch): takeOver(from: epoch, now: now)
        case .tick:
            checkSilence(now: now)
            checkLinks(now: now)
            checkSuccessions(now: now)
            retryFailed(now: now)
        }
        defer { directives = [] }
        return directives
    }

    /// The replicas that are loaded or served, by number.
    public var replicas: [Replica] { standing.values.sorted { $0.id < $1.id } }

    /// Of the first replica that serves, or else of the first one.
    public var phase: Phase {
        let replicas = replicas
        guard let first = replicas.first(where: \.isServing) ?? replicas.first else {
            return .waiting(reason: waitingReason)
        }
        return first.isServing ? .serving(first.placement) : .loading(first.placement)
    }

    /// The replica that is loaded or served in an epoch.
    public func replica(of epoch: Epoch) -> Replica? { standing.values.first { $0.epoch == epoch } }

    /// The workers for the status, by replica and in pipeline order, then those without layers in order of joining.
    ///
    /// - Parameter now: for how long each was silent; nil where nobody asks.
    public func workerStatuses(now: Double? = nil) -> [WorkerStatus] {
        let staged = replicas.flatMap { replica in
            replica.placement.stages.compactMap { workers[$0.node]?.status(layers: $0.layers, now: now) }
        }
        return staged + inOrder.filter { $0.replica == nil }.map { $0.status(layers: nil, now: now) }
    }

    /// The worker behind a control stream, for logs.
    public func node(of stream: ControlStreamID) -> NodeID? { nodes[stream] }

    var inOrder: [WorkerRecord] { workers.values.sorted { $0.order < $1.order } }

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
        let silence = SilenceDetector(
            least: Double(configuration.leastSilenceMilliseconds), most: Double(configuration.silenceMilliseconds))
        workers[hello.node] = WorkerRecord(
            hello: hello, stream: stream, order: joinedCount, silence: silence, lastHeardMilliseconds: now)
        nodes[stream] = hello.node
        joinedCount += 1
        directives.append(.note("worker \(hello.node) joined from \(hello.host):\(hello.port)"))
        let heartbeat = configuration.heartbeatMilliseconds
        directives.append(.send(stream, .welcome(epoch: epoch, heartbeatMilliseconds: heartbeat)))
        plan(now: now)
        retryDepartures(now: now)
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

    mutating func lose(_ stream: ControlStreamID, _ reason: String, isCrash: Bool = false, now: Double) {
        guard let node = nodes.removeValue(forKey: stream) else { return }
        workerFailureCount += 1
        let replica = workers.removeValue(forKey: node)?.replica.flatMap { standing[$0] }
        directives.append(.note("worker \(node) is lost: \(reason)"))
        if let succession = succession(of: node), succession.replica.id != replica?.id {
            giveUp(succession.replica.id, "worker \(node) is lost", now: now)
        }
        guard let replica else { return plan(now: now) }
        fall(replica, "worker \(node) is lost: \(reason)", isCrash: isCrash, now: now)
    }

    /// The replica, standing or to come, that a worker loads in an epoch.
    private func taking(_ node: NodeID, _ epoch: Epoch) -> Replica? {
        let current = workers[node]?.replica.flatMap { standing[$0] }
        return [current, succession(of: node)?.replica].compactMap { $0 }.first { $0.epoch == epoch }
    }

    /// Forgets a worker that has no layers.
    mutating func forget(_ worker: WorkerRecord) {
        nodes[worker.stream] = nil
        workers[worker.hello.node] = nil
    }

    // MARK: What workers report

    private mutating func hear(_ message: WorkerMessage, _ stream: ControlStreamID, now: Double) {
        guard let node = nodes[stream] else {
            directives.append(.close(stream, reason: "the first message must be a hello"))
            return
        }
        workers[node]?.lastHeardMilliseconds = now
        let replica = workers[node]?.replica.flatMap { standing[$0] }
        switch message {
        case .hello, .result: break
        case .heartbeat(let heartbeat):
            workers[node]?.silence.hear(now: now)
            if heartbeat.epoch == replica?.epoch { workers[node]?.hear(heartbeat, now: now) }
        case .loadProgress(let of, let progress):
            guard let replica = taking(node, of), progress.totalByteCount > 0, replica.loading.contains(node) else {
                break
            }
            successions[replica.id]?.heardMilliseconds = now
            workers[node]?.loadedFraction = progress.fraction
            workers[node]?.load = progress
        case .ready(let of, let memoryByteCount):
            if let replica, of == replica.epoch { becomeReady(node, replica, memoryByteCount, now: now) }
            becomePrepared(node, of, now: now)
        case .failed(let of, let text, let isLink):
            if let succession = succession(of: node), succession.replica.epoch == of {
                if replica == nil {
                    workers[node]?.fail(text, isOutAtOnce: isLink, now: now)
                    workerFailureCount += 1
                }
                giveUp(succession.replica.id, "worker \(node) failed: \(text)", now: now)
            }
            guard let replica, of == replica.epoch else { break }
            workers[node]?.fail(text, isOutAtOnce: isLink, now: now)
            workerFailureCount += 1
            directives.append(.note("worker \(node) failed: \(text)"))
            fall(replica, "worker \(node) failed: \(text)", isCrash: !isLink, now: now)
        case .goodbye(let reason):
            directives.append(.close(stream, reason: "goodbye"))
            lose(stream, "it leaves: \(reason)", now: now)
        case .askToLeave: askToLeave(node, now: now)
        case .moved(let of): completeMove(node, of, now: now)
        }
    }

    private mutating func becomeReady(_ node: NodeID, _ replica: Replica, _ memoryByteCount: Int, now: Double) {
        var replica = replica
        guard replica.loading.remove(node) != nil else { return }
        standing[replica.id] = replica
        workers[node]?.state = .ready
        workers[node]?.loadedFraction = 1
        workers[node]?.load = nil
        workers[node]?.detail = nil
        workers[node]?.memoryByteCount = max(0, memoryByteCount)
        guard replica.isServing, let first = replica.placement.stages.first,
            let stage0 = workers[first.node]?.stream
        else { return }
        for stage in replica.placement.stages {
            workers[stage.node]?.servingSinceMilliseconds = now
            // Until now the stages were looking for each other.
            workers[stage.node]?.linkDownSinceMilliseconds = nil
        }
        directives.append(.serve(replica, stage0: stage0))
    }
}
