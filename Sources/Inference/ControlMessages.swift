/// The versions that nodes compare when they meet.
public enum ProtocolVersion {
    /// Of the messages between nodes.
    public static let current: UInt32 = 3
}

/// What a worker says when it joins.
public struct WorkerHello: Hashable, Sendable {
    public let protocolVersion: UInt32
    public let numericsVersion: UInt32
    public let node: NodeID
    /// Where the previous stage can dial this worker.
    public let host: String
    public let port: Int
    public let processID: Int
    public let threadCount: Int
    /// The most bytes of memory that the worker may use for weights and KV pages.
    public let memoryByteCount: Int
    /// Measured speed in bytes of weights per second, for the split; higher is faster.
    public let bytesPerSecond: Double
    /// The highest epoch that the worker has seen.
    public let highestEpoch: Epoch
    /// The instruction set in use, for people.
    public let instructionSet: String

    public init(
        protocolVersion: UInt32, numericsVersion: UInt32, node: NodeID, host: String, port: Int, processID: Int,
        threadCount: Int, memoryByteCount: Int, bytesPerSecond: Double, highestEpoch: Epoch, instructionSet: String
    ) {
        self.protocolVersion = protocolVersion
        self.numericsVersion = numericsVersion
        self.node = node
        self.host = host
        self.port = port
        self.processID = processID
        self.threadCount = threadCount
        self.memoryByteCount = memoryByteCount
        self.bytesPerSecond = bytesPerSecond
        self.highestEpoch = highestEpoch
        self.instructionSet = instructionSet
    }
}

/// How keys and values are stored.
public enum KVType: UInt8, Sendable, Hashable, CaseIterable {
    case f16 = 0
    case f32 = 1
    /// int8 in blocks of 32 numbers of a head, with one half-precision scale each.
    case q8x0 = 2

    /// Bytes of one position's keys, or values, of one head.
    ///
    /// - Parameter headSize: numbers per head.
    public func byteCount(headSize: Int) -> Int {
        switch self {
        case .f16: 2 * headSize
        case .f32: 4 * headSize
        case .q8x0: headSize + 2 * ((headSize + 31) / 32)
        }
    }

    /// The name in flags and fingerprints.
    public var name: String {
        switch self {
        case .f16: "f16"
        case .f32: "f32"
        case .q8x0: "q8_0"
        }
    }
}

/// Where a worker dials another.
public struct NodeAddress: Hashable, Sendable, CustomStringConvertible {
    public let node: NodeID
    public let host: String
    public let port: Int

    public init(node: NodeID, host: String, port: Int) {
        self.node = node
        self.host = host
        self.port = port
    }

    public var description: String { "\(node) at \(host):\(port)" }
}

/// Who holds the pages of some layers.
public struct PageSource: Hashable, Sendable {
    public let layers: LayerRange
    public let address: NodeAddress

    public init(layers: LayerRange, address: NodeAddress) {
        self.layers = layers
        self.address = address
    }
}

/// A worker's part in a plan.
public struct StageAssignment: Hashable, Sendable {
    public let epoch: Epoch
    public let stage: Int
    public let stageCount: Int
    public let layers: LayerRange
    /// Where the coordinator has the checkpoint; used when the worker was not given a path of its own.
    public let modelPath: String
    /// The content hash that the worker's checkpoint must have.
    public let modelFingerprint: String
    public let kvType: KVType
    /// KV pages of every layer.
    public let pageCount: Int
    /// The most rows in a step.
    public let maxRowCount: Int
    /// Token ids from here on are padding and never sampled.
    public let vocabularyLimit: Int
    /// The next stage; nil for the last one.
    public let next: NodeAddress?
    /// Other workers, which may have the weights that this one lacks.
    public let peers: [NodeAddress]
    /// The epoch whose stages compute on until this plan takes their place, with the pages that they have; nil for a plan
    /// that begins with nothing, in the place of whatever the worker does.
    public let predecessor: Epoch?
    /// Who holds the pages of those layers that the worker does not have in the predecessor's epoch itself.
    public let sources: [PageSource]

    public init(
        epoch: Epoch, stage: Int, stageCount: Int, layers: LayerRange, modelPath: String, modelFingerprint: String,
        kvType: KVType, pageCount: Int, maxRowCount: Int, vocabularyLimit: Int, next: NodeAddress?,
        peers: [NodeAddress] = [], predecessor: Epoch? = nil, sources: [PageSource] = []
    ) {
        self.epoch = epoch
        self.stage = stage
        self.stageCount = stageCount
        self.layers = layers
        self.modelPath = modelPath
        self.modelFingerprint = modelFingerprint
        self.kvType = kvType
        self.pageCount = pageCount
        self.maxRowCount = maxRowCount
        self.vocabularyLimit = vocabularyLimit
        self.next = next
        self.peers = peers
        self.predecessor = predecessor
        self.sources = sources
    }
}

/// A sign of life that carries progress, so that a hung computation is seen behind a live connection.
public struct Heartbeat: Hashable, Sendable {
    public let epoch: Epoch
    /// Steps that the worker has finished in this epoch.
    public let finishedStepCount: UInt64
    /// The layer that is computed now; nil when idle.
    public let layer: Int?
    /// Rows computed since the assignment.
    public let computedRowCount: UInt64
    /// Time spent computing since the assignment, in microseconds.
    public let busyMicroseconds: UInt64
    /// Whether the connection to the next stage stands (true for the last stage).
    public let nextLinkUp: Bool
    /// What the stage did with its latest seconds of service.
    public let recent: StageActivity

    public init(
        epoch: Epoch, finishedStepCount: UInt64, layer: Int?, computedRowCount: UInt64, busyMicroseconds: UInt64,
        nextLinkUp: Bool, recent: StageActivity = .none
    ) {
        self.epoch = epoch
        self.finishedStepCount = finishedStepCount
        self.layer = layer
        self.computedRowCount = computedRowCount
        self.busyMicroseconds = busyMicroseconds
        self.nextLinkUp = nextLinkUp
        self.recent = recent
    }
}

/// Worker to coordinator, on the control stream.
public enum WorkerMessage: Hashable, Sendable {
    /// Always the first message.
    case hello(WorkerHello)
    case loadProgress(epoch: Epoch, LoadProgress)
    /// The layers are loaded and the next stage answers; of an assignment with a predecessor, also most pages are here.
    case ready(epoch: Epoch, memoryByteCount: Int)
    /// The assignment cannot be carried out, or a step went wrong: `message` says what and what to do. `isLink` when the
    /// way to the next stage is at fault, not what was computed.
    case failed(epoch: Epoch, message: String, isLink: Bool = false)
    case result(StepResult)
    case heartbeat(Heartbeat)
    case goodbye(reason: String)
    /// The worker would like to end: its layers shall go to others, and `.shutdown` shall come when they have them.
    case askToLeave
    /// All pages of the predecessor are here: steps may come.
    case moved(epoch: Epoch)
}

/// Coordinator to worker, on the control stream.
public enum CoordinatorMessage: Hashable, Sendable {
    /// The worker is taken in; it shall send heartbeats at this pace.
    case welcome(epoch: Epoch, heartbeatMilliseconds: Int)
    /// The worker is not taken in; it shall say so and stop.
    case refused(message: String)
    case assign(StageAssignment)
    /// To stage 0 only.
    case step(Step)
    /// The worker shall forget its assignment and stop.
    case shutdown(reason: String)
    /// The worker asked to leave, and nothing would go without it now: it is told to end when that changes.
    case needed(reason: String)
    /// The predecessor of this epoch computes no more: the pages that it wrote last shall be fetched.
    case takeOver(epoch: Epoch)
    /// The stage of this epoch is over, whether it came to compute or not; another one of the worker goes on.
    case retire(epoch: Epoch)
}
