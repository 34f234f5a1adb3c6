import Inference

/// A worker as the membership table knows it.
struct WorkerRecord: Sendable {
    let hello: WorkerHello
    let stream: ControlStreamID
    /// Workers are planned in the order in which they joined.
    let order: UInt64
    var state = WorkerStatus.State.joined
    var silence: SilenceDetector
    var lastHeardMilliseconds: Double
    private(set) var heartbeat: Heartbeat?
    /// Since when it reports the link to the next stage down.
    var linkDownSinceMilliseconds: Double?
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
    /// Whether it is to go.
    var departure: Departure?
    /// When it may be planned with again although it is out.
    var retryMilliseconds = 0.0

    enum Departure: Hashable, Sendable {
        /// It asked to go and is still needed.
        case wanted
        /// Others take its layers over.
        case draining
    }

    /// After serving for so long, earlier failures are forgiven.
    private static let forgivingMilliseconds = 60_000.0
    /// Pauses of a worker that is out, doubling from the first to the last.
    private static let firstPauseMilliseconds = 1000.0
    private static let longestPauseMilliseconds = 30_000.0

    /// Whether it failed too often to be planned with while there is another way.
    var isOut: Bool { failureCount >= Membership.failureLimit }

    mutating func hear(_ heartbeat: Heartbeat, now: Double) {
        self.heartbeat = heartbeat
        linkDownSinceMilliseconds = heartbeat.nextLinkUp ? nil : linkDownSinceMilliseconds ?? now
    }

    /// Notes a failure; one after a long time of good service counts as the first.
    mutating func fail(_ text: String, isOutAtOnce: Bool = false, now: Double) {
        forgive(now: now)
        failureCount = max(failureCount + 1, isOutAtOnce ? Membership.failureLimit : 0)
        servingSinceMilliseconds = nil
        let doublings = min(16, max(0, failureCount - Membership.failureLimit))
        let pause = Self.firstPauseMilliseconds * Double(1 << doublings)
        retryMilliseconds = now + min(pause, Self.longestPauseMilliseconds)
        state = .failed
        load = nil
        detail = text
    }

    private mutating func forgive(now: Double) {
        guard let since = servingSinceMilliseconds, now - since > Self.forgivingMilliseconds else { return }
        failureCount = 0
    }

    /// Forgets the stage that it had.
    mutating func leaveStage(now: Double) {
        forgive(now: now)
        replica = nil
        heartbeat = nil
        linkDownSinceMilliseconds = nil
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

    private var departureText: String? {
        switch departure {
        case nil: nil
        case .wanted: "asked to leave, but is needed"
        case .draining: "is being drained"
        }
    }

    var address: NodeAddress { NodeAddress(node: hello.node, host: hello.host, port: hello.port) }

    /// It is a stage of a replica that took the place of another plan.
    mutating func serve(_ replica: ReplicaID, _ stage: StagePlacement, now: Double) {
        self.replica = replica
        state = .ready
        loadedFraction = 1
        memoryByteCount = stage.weightByteCount + stage.kvByteCount
        servingSinceMilliseconds = now
    }

    /// What people see.
    func status(layers: LayerRange?, now: Double?) -> WorkerStatus {
        let busySeconds = Double(heartbeat?.busyMicroseconds ?? 0) / 1e6
        let rowCount = Double(heartbeat?.computedRowCount ?? 0)
        let recent = heartbeat?.recent ?? .none
        return WorkerStatus(
            id: hello.node, address: "\(hello.host):\(hello.port)", processID: hello.processID, state: state,
            replica: replica?.rawValue, layers: layers, threadCount: hello.threadCount,
            memoryLimitByteCount: hello.memoryByteCount,
            memoryByteCount: memoryByteCount, loadedFraction: loadedFraction, load: load,
            tokensPerSecond: busySeconds > 0 ? rowCount / busySeconds : 0,
            busyFraction: recent.busyFraction, bubbleFraction: recent.bubbleFraction,
            busySeconds: busySeconds, rowCount: Int(clamping: heartbeat?.computedRowCount ?? 0),
            silentSeconds: now.map { max(0, $0 - lastHeardMilliseconds) / 1000 } ?? 0, detail: detail ?? departureText)
    }
}
