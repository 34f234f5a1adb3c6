import Cluster
import Inference

/// A worker: a process on its machine, and the stage that it was given.
struct SimulatedWorker {
    let capacity: WorkerCapacity
    /// Rises with every start and end; what was meant for an earlier process is lost.
    var process = 0
    /// So many faults keep it from running.
    var downCount = 0
    /// It asked to be drained.
    var isLeaving = false
    /// So many of the faults that keep it from running are drains.
    var drainedCount = 0
    /// So many faults keep the process from going on; what happens to it meanwhile waits.
    var stopCount = 0
    var backlog: [WorkerEvent] = []
    /// So many faults keep it from computing and loading, since when; what would end meanwhile waits.
    private(set) var hangCount = 0
    private var hungSince = 0.0
    var hungBacklog: [WorkerEvent] = []
    /// Its latest control stream; nil while it is not connected.
    var stream: ControlStreamID?
    /// When the coordinator was last heard on it.
    var lastHeard = 0.0
    /// Before it dials the coordinator once more.
    var pauseMilliseconds = firstPauseMilliseconds
    var highestEpoch = Epoch(term: 0, plan: 0)
    var stage: SimulatedStage? {
        didSet {
            guard let oldValue, oldValue.assignment.epoch != stage?.assignment.epoch else { return }
            earlierBusyMilliseconds += oldValue.busyMilliseconds
            earlierStepCount += oldValue.stepCount
            earlierRowCount += oldValue.rowCount
        }
    }
    /// Is prepared to take the place of `stage`.
    var successor: SimulatedStage?
    /// Of the stages that it had before.
    private var earlierBusyMilliseconds = 0.0
    private var earlierStepCount: UInt64 = 0
    private var earlierRowCount: UInt64 = 0

    static let firstPauseMilliseconds = 100.0
    static let longestPauseMilliseconds = 5000.0

    init(_ capacity: WorkerCapacity) { self.capacity = capacity }

    var busyMilliseconds: Double { earlierBusyMilliseconds + (stage?.busyMilliseconds ?? 0) }
    var stepCount: UInt64 { earlierStepCount + (stage?.stepCount ?? 0) }
    var rowCount: UInt64 { earlierRowCount + (stage?.rowCount ?? 0) }

    func hello(index: Int) -> WorkerHello {
        WorkerHello(
            protocolVersion: ProtocolVersion.current, numericsVersion: 1, node: capacity.node, host: "simulated",
            port: index + 1, processID: process, threadCount: 1, memoryByteCount: capacity.memoryByteCount,
            bytesPerSecond: capacity.bytesPerSecond, highestEpoch: highestEpoch, instructionSet: "simulated")
    }

    /// The process ends and takes all that it knows with it.
    mutating func end() {
        process += 1
        isLeaving = false
        stopCount = 0
        backlog = []
        hangCount = 0
        hungBacklog = []
        stream = nil
        stage = nil
        successor = nil
        highestEpoch = Epoch(term: 0, plan: 0)
        pauseMilliseconds = Self.firstPauseMilliseconds
    }

    /// Where the stage of an epoch is; nil when there is none.
    func place(of epoch: Epoch) -> WritableKeyPath<SimulatedWorker, SimulatedStage?>? {
        if stage?.assignment.epoch == epoch { return \.stage }
        return successor?.assignment.epoch == epoch ? \.successor : nil
    }

    /// One of the stages is over; when it is the one that served, the other takes its place.
    mutating func retire(_ epoch: Epoch) {
        if successor?.assignment.epoch == epoch { successor = nil }
        let isOver = stage?.assignment.epoch == epoch
        guard isOver || stage == nil && successor?.assignment.predecessor == epoch else { return }
        stage = successor
        successor = nil
    }

    mutating func hang(now: Double) {
        if hangCount == 0 { hungSince = now }
        hangCount += 1
    }

    /// What waited and happens now.
    mutating func endHang() -> [WorkerEvent] {
        guard hangCount > 0 else { return [] }
        hangCount -= 1
        guard hangCount == 0 else { return [] }
        defer { hungBacklog = [] }
        return hungBacklog
    }

    func heartbeat(isLinkUp: Bool, now: Double) -> Heartbeat {
        Heartbeat(
            epoch: stage?.assignment.epoch ?? highestEpoch, finishedStepCount: stage?.finishedCount ?? 0,
            layer: stage?.layer(now: hangCount > 0 ? hungSince : now),
            computedRowCount: stage?.rowCount ?? 0, busyMicroseconds: UInt64((stage?.busyMilliseconds ?? 0) * 1000),
            nextLinkUp: isLinkUp)
    }
}
