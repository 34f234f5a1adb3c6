import Cluster
import Inference

/// What workers do.
extension Simulation {
    /// As the real ones wait: for a dial to succeed, for a connection that says nothing, for a peer that is gone.
    private static let dialMilliseconds = 5000.0
    private static let keepaliveMilliseconds = 20_000.0
    private static let linkDialMilliseconds = 2000.0
    private static let linkPauseMilliseconds = 250.0
    private static let linkAttemptLimit = 20
    private static let deadLinkMilliseconds = 10_000.0
    private static let hangMilliseconds = 30_000.0
    /// How soon a process that ended with an error is started again.
    private static let restartMilliseconds = 1000.0

    mutating func handle(_ event: WorkerEvent, at index: Int) throws(Breach) {
        switch event {
        case .computed where workers[index].hangCount > 0, .loaded where workers[index].hangCount > 0,
            .moved where workers[index].hangCount > 0:
            workers[index].hungBacklog.append(event)
        case .join: join(index)
        case .hears(let stream, let message):
            guard workers[index].stream == stream else { return }
            workers[index].lastHeard = now
            try hear(message, at: index)
        case .pong(let stream):
            if workers[index].stream == stream { workers[index].lastHeard = now }
        case .loses(let stream):
            guard workers[index].stream == stream else { return }
            joinLater(index)
        case .activation(let activation): try take(activation, at: index)
        case .computed(let epoch):
            guard let place = workers[index].place(of: epoch) else { return }
            try finishStep(place, at: index)
        case .moved(let epoch): takePages(epoch, at: index)
        case .loaded(let epoch, let attempt): openLink(epoch, attempt: attempt, at: index)
        case .heartbeat(let stream): beat(stream, at: index)
        case .hangPatienceEnds(let epoch):
            guard workers[index].hangCount > 0, workers[index].stage?.assignment.epoch == epoch else { return }
            send(.failed(epoch: epoch, message: "the stage before does not end"), from: index)
        case .linkPatienceEnds(let epoch):
            guard let place = workers[index].place(of: epoch), !isNextReachable(place, from: index) else { return }
            send(.failed(epoch: epoch, message: "the next stage cannot be reached", isLink: true), from: index)
        }
    }

    // MARK: The coordinator

    private mutating func join(_ index: Int) {
        guard workers[index].stream == nil else { return }
        guard network.isOpen(.worker(index), .coordinator) else {
            schedule(.join, index, after: Self.dialMilliseconds)
            return
        }
        let stream = openStream(at: index)
        workers[index].stream = stream
        workers[index].lastHeard = now
        send(.hello(workers[index].hello(index: index)), from: index)
        // Also before the welcome: a connection that says nothing is given up.
        schedule(.heartbeat(stream), index, after: Double(scenario.heartbeatMilliseconds))
    }

    private mutating func joinLater(_ index: Int) {
        workers[index].stream = nil
        schedule(.join, index, after: workers[index].pauseMilliseconds)
        workers[index].pauseMilliseconds = min(
            workers[index].pauseMilliseconds * 2, SimulatedWorker.longestPauseMilliseconds)
    }

    private mutating func beat(_ stream: ControlStreamID, at index: Int) {
        guard workers[index].stream == stream else { return }
        guard scenario.faults.isEmpty || now - workers[index].lastHeard <= Self.keepaliveMilliseconds else {
            send(.coordinatorLoses(stream), toCoordinatorFrom: index)
            joinLater(index)
            return
        }
        send(.heartbeat(workers[index].heartbeat(isLinkUp: isLinkUp(from: index), now: now)), from: index)
        schedule(.heartbeat(stream), index, after: Double(scenario.heartbeatMilliseconds))
    }

    private mutating func hear(_ message: CoordinatorMessage, at index: Int) throws(Breach) {
        switch message {
        case .welcome: workers[index].pauseMilliseconds = SimulatedWorker.firstPauseMilliseconds
        case .refused:
            // The process says why and ends.
            goDown(index)
            queue.schedule(.start(index), at: now + Self.restartMilliseconds)
        case .assign(let assignment):
            guard assignment.epoch > workers[index].highestEpoch else { return }
            workers[index].highestEpoch = assignment.epoch
            let stage = SimulatedStage(
                assignment, layerCount: scenario.model.layerByteCounts.count, poison: scenario.poison)
            if let predecessor = assignment.predecessor {
                if workers[index].stage?.assignment.epoch != predecessor { workers[index].stage = nil }
                workers[index].successor = stage
            } else {
                workers[index].stage = stage
                workers[index].successor = nil
            }
            if workers[index].hangCount > 0, assignment.predecessor == nil {
                schedule(.hangPatienceEnds(assignment.epoch), index, after: Self.hangMilliseconds)
            }
            let byteCount = Double(scenario.model.weightByteCount(of: assignment.layers))
            schedule(
                .loaded(assignment.epoch, attempt: 1), index,
                after: byteCount / scenario.loadBytesPerSecond * 1000)
        case .step(let step): try take(SimulatedActivation(step: step, digest: 0), at: index)
        case .shutdown:
            guard workers[index].isLeaving else {
                throw Breach("worker \(index) is told to end and never asked for it")
            }
            goDown(index)
            workers[index].drainedCount += 1
        case .needed: break
        case .takeOver(let epoch):
            // As long as a question and its answer take.
            schedule(.moved(epoch), index, after: 2 * scenario.links.ordinary.delaySeconds * 1000)
        case .retire(let epoch): workers[index].retire(epoch)
        }
    }

    /// Fetches what the stages of the epoch before have in their pages.
    private mutating func takePages(_ epoch: Epoch, at index: Int) {
        guard let assignment = workers[index].successor?.assignment, assignment.epoch == epoch,
            let predecessor = assignment.predecessor
        else { return }
        var found: SimulatedStage?
        for source in assignment.sources.map({ $0.address.port - 1 }) {
            guard network.isOpen(.worker(index), .worker(source)), workers[source].stopCount == 0,
                workers[source].hangCount == 0, let stage = workers[source].stage,
                stage.assignment.epoch == predecessor
            else {
                send(.failed(epoch: epoch, message: "the pages cannot be fetched"), from: index)
                return
            }
            found = stage
        }
        guard let stage = found ?? workers[index].stage else { return }
        workers[index].successor?.inherit(stage)
        send(.moved(epoch: epoch), from: index)
    }

    // MARK: The next stage

    /// The worker of the next stage, which its port tells; nil for the last one.
    private func next(of stage: SimulatedStage?) -> Int? { stage?.assignment.next.map { $0.port - 1 } }

    private func isNextReachable(_ place: KeyPath<SimulatedWorker, SimulatedStage?>, from index: Int) -> Bool {
        let stage = workers[index][keyPath: place]
        guard let next = next(of: stage) else { return true }
        return network.isOpen(.worker(index), .worker(next)) && workers[next].process == stage?.nextProcess
    }

    /// As the worker knows it: what is cut in one direction looks like a slow peer.
    private func isLinkUp(from index: Int) -> Bool {
        let stage = workers[index].stage
        guard let next = next(of: stage) else { return true }
        return !network.isCut(.worker(index), .worker(next)) && workers[next].process == stage?.nextProcess
    }

    private mutating func openLink(_ epoch: Epoch, attempt: Int, at index: Int) {
        guard let place = workers[index].place(of: epoch) else { return }
        if let next = next(of: workers[index][keyPath: place]) {
            let isOpen = network.isOpen(.worker(index), .worker(next))
            guard isOpen, workers[next].downCount == 0, workers[next].stopCount == 0 else {
                guard attempt < Self.linkAttemptLimit else {
                    send(.failed(epoch: epoch, message: "the next stage cannot be reached"), from: index)
                    return
                }
                let isRefused = isOpen && workers[next].downCount > 0
                schedule(
                    .loaded(epoch, attempt: attempt + 1), index,
                    after: Self.linkPauseMilliseconds + (isRefused ? 0 : Self.linkDialMilliseconds))
                return
            }
            let process = workers[next].process
            workers[index][keyPath: place]?.nextProcess = process
        }
        workers[index][keyPath: place]?.isReady = true
        send(.ready(epoch: epoch, memoryByteCount: 0), from: index)
    }

    private mutating func forward(
        _ activation: SimulatedActivation, _ place: KeyPath<SimulatedWorker, SimulatedStage?>, from index: Int
    ) {
        let stage = workers[index][keyPath: place]
        guard let next = next(of: stage), let epoch = stage?.assignment.epoch else { return }
        if !isNextReachable(place, from: index) {
            // A peer that is gone is dialled for a while; a cut is only noticed when nothing came for long.
            let isGone = workers[next].process != stage?.nextProcess
            schedule(
                .linkPatienceEnds(epoch), index,
                after: Self.deadLinkMilliseconds + (isGone ? 0 : Self.keepaliveMilliseconds))
            if isGone { return }
        }
        send(
            .activation(activation), to: next, from: .worker(index),
            byteCount: scenario.model.rowByteCount * activation.step.rowCount, isBulk: true)
    }

    // MARK: Steps

    private mutating func take(_ activation: SimulatedActivation, at index: Int) throws(Breach) {
        // Without one of its epoch, the stage that there is knows what is wrong with it.
        let place = workers[index].place(of: activation.step.epoch) ?? \.stage
        try workers[index][keyPath: place]?.offer(activation)
        try beginStep(place, at: index)
    }

    private mutating func beginStep(
        _ place: WritableKeyPath<SimulatedWorker, SimulatedStage?>, at index: Int
    ) throws(Breach) {
        let capacity = workers[index].capacity
        guard let milliseconds = try workers[index][keyPath: place]?.begin(capacity, timing),
            let epoch = workers[index][keyPath: place]?.assignment.epoch
        else { return }
        guard workers[index][keyPath: place]?.isPoisoned != true else {
            poisonDeathCount += 1
            goDown(index)
            queue.schedule(.start(index), at: now + Self.restartMilliseconds)
            return
        }
        let late = scenario.jitter > 0 ? scenario.jitter * random.fraction() : 0
        workers[index][keyPath: place]?.time(began: now, milliseconds: milliseconds * (1 + late))
        schedule(.computed(epoch), index, after: milliseconds * (1 + late))
    }

    private mutating func finishStep(
        _ place: WritableKeyPath<SimulatedWorker, SimulatedStage?>, at index: Int
    ) throws(Breach) {
        switch workers[index][keyPath: place]?.finish() {
        case .result(let result): send(.result(result), from: index)
        case .activation(let activation): forward(activation, place, from: index)
        case nil: break
        }
        try beginStep(place, at: index)
    }
}
