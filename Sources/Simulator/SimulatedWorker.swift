import Cluster
import Inference

/// A worker: a process on its machine, and the stage that it was given.
struct SimulatedWorker {
    let capacity: WorkerCapacity
    /// Rises with every start; what was meant for an earlier process is lost.
    var process = 0
    /// Its latest control stream; nil while it is not connected.
    var stream: ControlStreamID?
    var highestEpoch = Epoch(term: 0, plan: 0)
    var stage: SimulatedStage? {
        didSet {
            guard let oldValue, oldValue.assignment.epoch != stage?.assignment.epoch else { return }
            earlierBusyMilliseconds += oldValue.busyMilliseconds
            earlierStepCount += oldValue.stepCount
            earlierRowCount += oldValue.rowCount
        }
    }
    /// Of the stages that it had before.
    private var earlierBusyMilliseconds = 0.0
    private var earlierStepCount: UInt64 = 0
    private var earlierRowCount: UInt64 = 0

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

    var heartbeat: Heartbeat {
        Heartbeat(
            epoch: stage?.assignment.epoch ?? highestEpoch, finishedStepCount: stage?.stepCount ?? 0, layer: nil,
            computedRowCount: stage?.rowCount ?? 0, busyMicroseconds: UInt64((stage?.busyMilliseconds ?? 0) * 1000),
            nextLinkUp: stage != nil)
    }
}
