import Inference

/// A worker as the membership table knows it.
struct WorkerRecord: Sendable {
    let hello: WorkerHello
    let stream: ControlStreamID
    /// Workers are planned in the order in which they joined.
    let order: UInt64
    var state = WorkerStatus.State.joined
    var lastHeardMilliseconds: Double
    var heartbeat: Heartbeat?
    /// The pipeline that it is a stage of.
    var replica: ReplicaID?
    /// When the current epoch began to serve.
    var servingSinceMilliseconds: Double?
    /// Weights and KV pages.
    var memoryByteCount = 0
    var loadedFraction = 0.0
    /// While it loads.
    var load: LoadProgress?
    /// What is wrong.
    var detail: String?
    /// Failures that followed each other closely.
    var failureCount = 0

    /// Notes a failure; one after a long time of good service counts as the first.
    mutating func fail(_ text: String, forgiving milliseconds: Double, now: Double) {
        if let since = servingSinceMilliseconds, now - since > milliseconds { failureCount = 0 }
        failureCount += 1
        state = .failed
        load = nil
        detail = text
    }

    /// Forgets the stage that it had.
    mutating func leaveStage() {
        replica = nil
        heartbeat = nil
        servingSinceMilliseconds = nil
        memoryByteCount = 0
        loadedFraction = 0
        load = nil
        if state != .failed { state = .joined }
    }

    var capacity: WorkerCapacity {
        WorkerCapacity(
            node: hello.node, memoryByteCount: hello.memoryByteCount, bytesPerSecond: hello.bytesPerSecond)
    }

    var address: NodeAddress { NodeAddress(node: hello.node, host: hello.host, port: hello.port) }

    /// What people see.
    func status(layers: LayerRange?) -> WorkerStatus {
        let busySeconds = Double(heartbeat?.busyMicroseconds ?? 0) / 1e6
        let rowCount = Double(heartbeat?.computedRowCount ?? 0)
        let recent = heartbeat?.recent ?? .none
        return WorkerStatus(
            id: hello.node, address: "\(hello.host):\(hello.port)", processID: hello.processID, state: state,
            replica: replica?.rawValue, layers: layers, threadCount: hello.threadCount,
            memoryLimitByteCount: hello.memoryByteCount,
            memoryByteCount: memoryByteCount, loadedFraction: loadedFraction, load: load,
            tokensPerSecond: busySeconds > 0 ? rowCount / busySeconds : 0,
            busyFraction: recent.busyFraction, bubbleFraction: recent.bubbleFraction, detail: detail)
    }
}
