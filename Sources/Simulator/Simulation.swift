import Cluster
import Inference
import Scheduling

/// What happens at one moment of virtual time.
enum SimulationEvent {
    /// A client sends the request of this number.
    case ask(Int)
    case coordinatorHears(ControlStreamID, WorkerMessage)
    case coordinatorLoses(ControlStreamID)
    case tick
    /// A fault of the scenario, by index.
    case faultBegins(Int)
    case faultEnds(Int)
    /// A worker is started again.
    case start(Int)
    /// Something happens to a process of a worker.
    case worker(Int, process: Int, WorkerEvent)
}

enum WorkerEvent {
    /// It dials the coordinator.
    case join
    case hears(ControlStreamID, CoordinatorMessage)
    case loses(ControlStreamID)
    /// The coordinator's host answers a sign of life.
    case pong(ControlStreamID)
    case activation(SimulatedActivation)
    /// The step in work is done.
    case computed(Epoch)
    /// The layers are loaded: it dials the next stage, for so many times now.
    case loaded(Epoch, attempt: Int)
    /// The pages of the epoch before are there to be fetched.
    case moved(Epoch)
    case heartbeat(ControlStreamID)
    /// The stage before the present one did not end for long.
    case hangPatienceEnds(Epoch)
    /// The next stage was not to be reached for long.
    case linkPatienceEnds(Epoch)
}

/// A cluster on a virtual clock: the real membership, placement and scheduler, with workers, links and clients that are
/// simulated.
///
/// Workers take the time that the cost model says, links their delay and bandwidth. Instead of a model they compute a hash
/// of everything before a position, so that each request has one right answer; every step, page, token and ending is held
/// against what is promised, and the first breach ends the run. Faults take workers and links away for a while.
public struct Simulation {
    let scenario: Scenario
    let timing: StepTiming
    /// Milliseconds since the start.
    var now = 0.0
    var queue = EventQueue<SimulationEvent>()
    var network: SimulatedNetwork
    var coordinator: SimulatedCoordinator
    var workers: [SimulatedWorker]
    /// The worker at the other end of each control stream that stands.
    var streams: [ControlStreamID: Int] = [:]
    var clients: Clients
    var ledger: RequestLedger
    private var streamCount: UInt64 = 0
    var busy = BusyTime()
    /// For the jitter of computing.
    var random: SimulatedRandom
    /// Workers that a request killed.
    var poisonDeathCount = 0
    /// When something last went forward.
    var lastProgress = 0.0

    /// What a broken worker, network or scheduler would do to an event, and whether it happens at all: tests show with it
    /// that breaches are found.
    var tamper: ((inout SimulationEvent) -> Bool)?

    static let tickMilliseconds = 250.0
    /// Without any progress for so long, once all faults are over, something waits for ever.
    private static let stillnessMilliseconds = 3_600_000.0
    private static let stillnessAfterFaultsMilliseconds = 300_000.0

    public init(_ scenario: Scenario) {
        self.scenario = scenario
        timing = StepTiming(
            model: scenario.model, speedFraction: scenario.speedFraction,
            overheadMilliseconds: scenario.stepOverheadMilliseconds)
        network = SimulatedNetwork(
            links: scenario.links, nodes: scenario.workers.map(\.node), jitter: scenario.jitter,
            random: SimulatedRandom(seed: scenario.seed, stream: 3))
        coordinator = SimulatedCoordinator(scenario)
        workers = scenario.workers.map { SimulatedWorker($0) }
        random = SimulatedRandom(seed: scenario.seed, stream: 5)
        clients = Clients(scenario)
        ledger = RequestLedger(
            configuration: scenario.scheduling, hasOnePipeline: scenario.replicaCount == 1, poison: scenario.poison,
            layerCount: scenario.model.layerByteCounts.count)
    }

    /// Runs until every request has its answer. Throws the first promise that is broken.
    ///
    /// - Parameter progress: called now and then with the part that is done, 0 to 1.
    public mutating func run(progress: (Double) -> Void = { _ in }) throws(SimulationFailure) -> SimulationReport {
        do throws(Breach) {
            begin()
            var count = 0
            while !isOver {
                guard let next = queue.popFirst() else { throw Breach("nothing is left to happen") }
                now = next.milliseconds
                var event = next.event
                guard tamper?(&event) ?? true else { continue }
                try handle(event)
                count += 1
                if count % 50_000 == 0 { progress(clients.fractionDone(ledger.statistics)) }
            }
            try checkEnd()
        } catch {
            throw SimulationFailure(seed: scenario.seed, milliseconds: now, problem: error.description)
        }
        return SimulationReport(self)
    }

    private var isOver: Bool { clients.areServed && ledger.liveCount == 0 && coordinator.isIdle }

    private mutating func begin() {
        for (index, fault) in scenario.faults.enumerated() {
            // A worker that is down from the beginning comes late.
            if fault.beginMilliseconds <= 0 {
                begin(fault)
            } else {
                queue.schedule(.faultBegins(index), at: fault.beginMilliseconds)
            }
            queue.schedule(.faultEnds(index), at: fault.endMilliseconds)
            lastProgress = max(lastProgress, fault.endMilliseconds)
        }
        // One after the other, so that they join in the given order.
        for index in workers.indices where workers[index].downCount == 0 {
            workers[index].process += 1
            schedule(.join, index, after: Double(index))
        }
        queue.schedule(.tick, at: Self.tickMilliseconds)
    }

    private mutating func handle(_ event: SimulationEvent) throws(Breach) {
        switch event {
        case .ask(let number): try ask(number)
        case .coordinatorHears(let stream, let message):
            guard let index = streams[stream] else { return }
            // Only where links may be cut does it matter who hears whom.
            if !scenario.faults.isEmpty, case .heartbeat = message {
                send(.pong(stream), to: index, from: .coordinator)
            }
            try coordinator.receive(message, on: stream, now: now)
            try settle()
        case .coordinatorLoses(let stream):
            guard streams.removeValue(forKey: stream) != nil else { return }
            try coordinator.disconnected(stream, now: now)
            try settle()
        case .tick: try tick()
        case .faultBegins(let index): begin(scenario.faults[index])
        case .faultEnds(let index): try end(scenario.faults[index])
        case .start(let index): start(index)
        case .worker(let index, let process, let event):
            guard workers[index].process == process else { return }
            if workers[index].stopCount > 0 {
                workers[index].backlog.append(event)
            } else {
                try handle(event, at: index)
            }
        }
    }

    private mutating func tick() throws(Breach) {
        try coordinator.tick(now: now)
        try settle()
        let limit =
            scenario.faults.isEmpty ? Self.stillnessMilliseconds : Self.stillnessAfterFaultsMilliseconds
        guard now - lastProgress <= limit else {
            throw Breach("nothing went forward for \(limit / 1000) s: \(coordinator.reason)")
        }
        queue.schedule(.tick, at: now + Self.tickMilliseconds)
    }

    /// Brings out what the coordinator did.
    mutating func settle() throws(Breach) {
        while case let outputs = coordinator.takeOutputs(), !outputs.isEmpty {
            for output in outputs { bringOut(output) }
            try deliver()
        }
        try deliver()
        if coordinator.isServing, clients.begin() { openDoors() }
    }

    private mutating func bringOut(_ output: SimulatedCoordinator.Output) {
        switch output {
        case .send(let stream, let message):
            guard let index = streams[stream] else { return }
            send(.hears(stream, message), to: index, from: .coordinator)
        case .close(let stream):
            guard let index = streams.removeValue(forKey: stream) else { return }
            send(.loses(stream), to: index, from: .coordinator)
        }
    }

    // MARK: Time and distance

    mutating func schedule(_ event: WorkerEvent, _ index: Int, after milliseconds: Double) {
        queue.schedule(.worker(index, process: workers[index].process, event), at: now + milliseconds)
    }

    mutating func send(
        _ event: WorkerEvent, to index: Int, from: Endpoint, byteCount: Int = 0, isBulk: Bool = false
    ) {
        let event = SimulationEvent.worker(index, process: workers[index].process, event)
        let arrival = network.send(
            event, from: from, to: .worker(index), byteCount: byteCount, isBulk: isBulk, now: now)
        if let arrival { queue.schedule(event, at: arrival) }
    }

    /// A worker's message to the coordinator, on its latest stream.
    mutating func send(_ message: WorkerMessage, from index: Int) {
        guard let stream = workers[index].stream else { return }
        send(.coordinatorHears(stream, message), toCoordinatorFrom: index)
    }

    mutating func send(_ event: SimulationEvent, toCoordinatorFrom index: Int) {
        let arrival = network.send(event, from: .worker(index), to: .coordinator, now: now)
        if let arrival { queue.schedule(event, at: arrival) }
    }

    mutating func openStream(at index: Int) -> ControlStreamID {
        streamCount += 1
        let stream = ControlStreamID(streamCount)
        streams[stream] = index
        return stream
    }

    private func checkEnd() throws(Breach) {
        try coordinator.checkIdle()
        for worker in workers {
            // Stages of earlier plans are forgotten as a whole.
            guard let stage = worker.stage, coordinator.stands(stage.assignment.epoch), stage.sequenceCount > 0 else {
                continue
            }
            throw Breach("\(worker.capacity.node) remembers \(stage.sequenceCount) sequences although all have ended")
        }
    }
}
