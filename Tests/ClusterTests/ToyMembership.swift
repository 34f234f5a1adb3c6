import Inference
import Testing

@testable import Cluster

/// A membership table, workers that believe every assignment, and what the shell would know of the replicas.
struct ToyMembership {
    struct Worker {
        let hello: WorkerHello
        var stream: ControlStreamID
        /// The latest assignment, which may have fallen since.
        var assignment: StageAssignment?
        var isReady = false
        /// One that is prepared beside.
        var successor: StageAssignment?
        var isPrepared = false
    }

    var membership: Membership
    var workers: [NodeID: Worker] = [:]
    /// Replicas that serve, by what the directives said.
    var serving: [ReplicaID: Replica] = [:]
    /// Workers that were told to end, and that they are needed.
    var dismissed: [String] = []
    var needed: Set<String> = []
    /// What is asked for and not done: pages to fetch, and replicas to pause.
    var moves: [(node: NodeID, epoch: Epoch)] = []
    var pauses: [Epoch] = []
    /// How often a replica was suspended and resumed, and went on with its pages.
    var suspendedCount = 0
    var resumedCount = 0
    var succeededCount = 0
    /// Times that what was in flight was laid a failure to.
    var suspectedCount = 0
    var problems: [String] = []
    var now = 0.0
    private var streamCount: UInt64 = 0

    static let layerCount = 6

    /// The model takes 6000 bytes of weights and 240 of pages.
    init(workers: Int = 1, split: [Int]? = nil, replicas: Int? = nil, term: UInt64 = 3) {
        let model = ModelFootprint(
            layerByteCounts: Array(repeating: 1000, count: Self.layerCount), embeddingByteCount: 0, headByteCount: 0,
            kvBytesPerPagePerLayer: 10, layerMultiplyAddCount: 2000)
        membership = Membership(
            configuration: ClusterConfiguration(
                model: model, modelPath: "/models/m.gguf", modelFingerprint: "f", kvType: .f16, pageCount: 4,
                pageLimit: 400, maxRowCount: 64, vocabularyLimit: 100, numericsVersion: 1,
                minimumWorkerCount: workers, layerCounts: split, replicaCount: replicas, heartbeatMilliseconds: 100,
                silenceMilliseconds: 1000),
            term: term)
    }

    mutating func join(_ name: String, memory: Int = 100_000, host: String? = nil, speed: Double = 1e6) {
        let node = NodeID(name)
        streamCount += 1
        let told = [workers[node]?.assignment, workers[node]?.successor].compactMap(\.?.epoch)
        let seen = told.max() ?? Epoch(term: 0, plan: 0)
        let hello = WorkerHello(
            protocolVersion: ProtocolVersion.current, numericsVersion: 1, node: node, host: host ?? name, port: 7000,
            processID: 1, threadCount: 1, memoryByteCount: memory, bytesPerSecond: speed, highestEpoch: seen,
            instructionSet: "scalar")
        let old = workers[node]?.assignment
        workers[node] = Worker(hello: hello, stream: ControlStreamID(streamCount), assignment: old)
        handle(.message(ControlStreamID(streamCount), .hello(hello)))
    }

    mutating func leave(_ name: String) {
        guard let worker = workers.removeValue(forKey: NodeID(name)) else { return }
        handle(.disconnected(worker.stream, reason: "gone"))
    }

    mutating func ready(_ name: String) {
        guard let worker = workers[NodeID(name)], let assignment = worker.assignment else { return }
        workers[NodeID(name)]?.isReady = true
        handle(.message(worker.stream, .ready(epoch: assignment.epoch, memoryByteCount: 5)))
    }

    mutating func fail(_ name: String) {
        guard let worker = workers[NodeID(name)], let assignment = worker.assignment else { return }
        handle(.message(worker.stream, .failed(epoch: assignment.epoch, message: "broken")))
    }

    /// As `phalanx drain` asks for it.
    mutating func drain(_ name: String) throws {
        for directive in try membership.drain(NodeID(name), now: now) { perform(directive) }
        if problems.isEmpty { check() }
    }

    mutating func askToLeave(_ name: String) {
        guard let worker = workers[NodeID(name)] else { return }
        handle(.message(worker.stream, .askToLeave))
    }

    /// Everybody says that it lives, and one that it cannot reach the next.
    mutating func beatAll(linkDownAt node: NodeID? = nil) {
        for name in workers.keys { finish(0, by: [name], isLinkUp: name != node) }
    }

    /// Workers report how many steps they finished.
    mutating func finish(_ count: UInt64, by names: [NodeID], isLinkUp: Bool = true) {
        for worker in names.compactMap({ workers[$0] }) {
            let beat = Heartbeat(
                epoch: worker.assignment?.epoch ?? Epoch(term: 0, plan: 0), finishedStepCount: count, layer: nil,
                computedRowCount: 0, busyMicroseconds: 0, nextLinkUp: isLinkUp)
            handle(.message(worker.stream, .heartbeat(beat)))
        }
    }

    /// Time goes by and everybody lives.
    mutating func wait(milliseconds: Double, linkDownAt node: NodeID? = nil) {
        let end = now + milliseconds
        while now < end {
            now += 100
            beatAll(linkDownAt: node)
            handle(.tick)
        }
    }

    /// Everybody reports what is asked of them, until nobody is asked for more.
    mutating func readyAll() {
        while true {
            if let name = workers.first(where: { $1.assignment != nil && !$1.isReady })?.key {
                ready(name.rawValue)
            } else if let (name, worker) = workers.first(where: { $1.successor != nil && !$1.isPrepared }) {
                prepared(name, worker)
            } else if !pauses.isEmpty {
                handle(.quiet(pauses.removeFirst()))
            } else if !moves.isEmpty {
                let (node, epoch) = moves.removeFirst()
                if let stream = workers[node]?.stream { handle(.message(stream, .moved(epoch: epoch))) }
            } else {
                return
            }
        }
    }

    private mutating func prepared(_ name: NodeID, _ worker: Worker) {
        workers[name]?.isPrepared = true
        guard let epoch = worker.successor?.epoch else { return }
        handle(.message(worker.stream, .ready(epoch: epoch, memoryByteCount: 5)))
    }

    /// A worker cannot prepare its part in a plan to come.
    mutating func failToPrepare(_ name: String) {
        guard let worker = workers[NodeID(name)], let epoch = worker.successor?.epoch else { return }
        handle(.message(worker.stream, .failed(epoch: epoch, message: "broken")))
    }

    mutating func handle(_ event: ClusterEvent) {
        for directive in membership.handle(event, now: now) { perform(directive) }
        // The first is what is to be understood.
        if problems.isEmpty { check() }
    }

    private mutating func perform(_ directive: ClusterDirective) {
        switch directive {
        case .send(let stream, .assign(let assignment)):
            guard let node = workers.first(where: { $1.stream == stream })?.key else {
                // It left with this event.
                return
            }
            if let old = workers[node]?.assignment, assignment.epoch <= old.epoch {
                problems.append("\(node) is told \(assignment.epoch) after \(old.epoch)")
            }
            if let predecessor = assignment.predecessor {
                if !serving.values.contains(where: { $0.epoch == predecessor }) {
                    problems.append("\(node) is to succeed \(predecessor), which does not serve")
                }
                workers[node]?.successor = assignment
                workers[node]?.isPrepared = false
                break
            }
            workers[node]?.successor = nil
            workers[node]?.assignment = assignment
            workers[node]?.isReady = false
        case .send(let stream, .shutdown):
            guard let node = workers.first(where: { $1.stream == stream })?.key else { return }
            dismissed.append(node.rawValue)
            workers[node] = nil
        case .send(let stream, .needed):
            if let node = workers.first(where: { $1.stream == stream })?.key { needed.insert(node.rawValue) }
        case .send(let stream, .takeOver(let epoch)):
            if let node = workers.first(where: { $1.stream == stream })?.key { moves.append((node, epoch)) }
        case .send(let stream, .retire(let epoch)):
            if let node = workers.first(where: { $1.stream == stream })?.key { retire(epoch, at: node) }
        case .pause(let id):
            if let epoch = serving[id]?.epoch { pauses.append(epoch) } else { problems.append("\(id) cannot pause") }
        case .resume(let id):
            resumedCount += 1
            if serving[id] == nil { problems.append("\(id) resumes but does not serve") }
        case .succeed(let replica, let stage0):
            succeededCount += 1
            if serving.updateValue(replica, forKey: replica.id) == nil {
                problems.append("\(replica.id) succeeds nothing")
            }
            if workers[replica.placement.stages[0].node]?.stream != stage0 { problems.append("a wrong stage 0") }
        case .suspend(let id, _):
            suspendedCount += 1
            if serving.removeValue(forKey: id) == nil { problems.append("\(id) is suspended but does not serve") }
        case .serve(let replica, let stage0):
            if serving.updateValue(replica, forKey: replica.id) != nil { problems.append("\(replica.id) serves twice") }
            if workers[replica.placement.stages[0].node]?.stream != stage0 { problems.append("a wrong stage 0") }
        case .suspect(let id, _):
            if serving[id] == nil { problems.append("\(id) is suspected but does not serve") }
            suspectedCount += 1
        case .send, .close, .note: break
        }
    }

    private mutating func retire(_ epoch: Epoch, at node: NodeID) {
        guard let worker = workers[node] else { return }
        if worker.successor?.epoch == epoch {
            workers[node]?.successor = nil
        } else if worker.assignment?.epoch == epoch || worker.successor?.predecessor == epoch {
            workers[node]?.assignment = worker.successor
            workers[node]?.isReady = worker.successor != nil
            workers[node]?.successor = nil
        }
    }

    /// What holds after every event.
    private mutating func check() {
        var used: Set<NodeID> = []
        for replica in membership.replicas {
            for stage in replica.placement.stages where !used.insert(stage.node).inserted {
                problems.append("\(stage.node) is in two replicas")
            }
            let layers = replica.placement.stages.map(\.layers)
            if layers.first?.first != 0 || layers.last?.end != Self.layerCount
                || zip(layers, layers.dropFirst()).contains(where: { $0.end != $1.first })
            {
                problems.append("\(replica.id) does not hold the model: \(layers)")
            }
            for stage in replica.placement.stages {
                let worker = workers[stage.node]
                if worker == nil { problems.append("\(stage.node) is gone but in \(replica.id)") }
                if let assignment = worker?.assignment, assignment.epoch != replica.epoch {
                    problems.append("\(stage.node) of \(replica.id) was told \(assignment.epoch)")
                }
                if stage.weightByteCount + stage.kvByteCount > worker?.hello.memoryByteCount ?? 0 {
                    problems.append("\(stage.node) has not the memory")
                }
            }
        }
        let epochs = membership.replicas.map(\.epoch)
        if Set(epochs).count != epochs.count { problems.append("two replicas have one epoch") }
        let told = Set(serving.values.map(\.epoch))
        if told != Set(membership.replicas.filter(\.isServing).map(\.epoch)) {
            problems.append("the shell was told that \(told) serve")
        }
        let limit = membership.configuration.replicaCount ?? .max
        if epochs.count > limit { problems.append("\(epochs.count) replicas, \(limit) were asked for") }
    }
}
