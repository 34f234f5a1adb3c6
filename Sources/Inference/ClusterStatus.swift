/// A worker as the coordinator sees it.
public struct WorkerStatus: Hashable, Sendable, Codable {
    public enum State: String, Sendable, Hashable, Codable {
        case joined, loading, ready, failed, lost
    }

    public var id: NodeID
    public var address: String
    public var processID: Int
    public var state: State
    /// The number of the pipeline that the worker is a stage of; nil when it is none.
    public var replica: Int?
    /// Nil while the worker holds no layers.
    public var layers: LayerRange?
    public var threadCount: Int
    /// Memory that the worker may use, in bytes.
    public var memoryLimitByteCount: Int
    /// Weights and KV pages, in bytes.
    public var memoryByteCount: Int
    /// How much of its layers is loaded, 0 to 1.
    public var loadedFraction: Double
    /// What it does to load them; nil when it does not load.
    public var load: LoadProgress?
    /// Rows that the worker computes per second of compute, since it began to serve.
    public var tokensPerSecond: Double
    /// Fraction of its latest seconds of service that it computed.
    public var busyFraction: Double
    /// Fraction of the same seconds that it waited while sequences were running: bubbles of the pipeline.
    public var bubbleFraction: Double
    /// Time that the worker computed since it was given its layers, and the rows that it computed in it.
    public var busySeconds: Double
    public var rowCount: Int
    /// Since the worker was last heard of.
    public var silentSeconds: Double
    /// What is wrong, when something is.
    public var detail: String?

    public init(
        id: NodeID, address: String, processID: Int, state: State, replica: Int? = nil, layers: LayerRange?,
        threadCount: Int,
        memoryLimitByteCount: Int, memoryByteCount: Int, loadedFraction: Double, load: LoadProgress? = nil,
        tokensPerSecond: Double, busyFraction: Double, bubbleFraction: Double = 0, busySeconds: Double = 0,
        rowCount: Int = 0, silentSeconds: Double = 0, detail: String?
    ) {
        self.id = id
        self.address = address
        self.processID = processID
        self.state = state
        self.replica = replica
        self.layers = layers
        self.threadCount = threadCount
        self.memoryLimitByteCount = memoryLimitByteCount
        self.memoryByteCount = memoryByteCount
        self.loadedFraction = loadedFraction
        self.load = load
        self.tokensPerSecond = tokensPerSecond
        self.busyFraction = busyFraction
        self.bubbleFraction = bubbleFraction
        self.busySeconds = busySeconds
        self.rowCount = rowCount
        self.silentSeconds = silentSeconds
        self.detail = detail
    }
}

/// The cluster as the coordinator sees it.
public struct ClusterStatus: Hashable, Sendable, Codable {
    public enum State: String, Sendable, Hashable, Codable {
        /// Too few workers (or too little memory) for the model.
        case waiting
        /// Workers load their layers.
        case loading
        case ready
    }

    public var state: State
    /// Why the cluster is not ready, and what to do.
    public var reason: String?
    public var epoch: Epoch
    public var model: ModelDescription
    /// By replica and in pipeline order; those without layers at the end.
    public var workers: [WorkerStatus]
    public var runningRequestCount: Int
    public var waitingRequestCount: Int
    public var completedRequestCount: Int
    /// Tokens generated since the start.
    public var generatedTokenCount: Int
    public var uptimeSeconds: Double
    /// Times that a pipeline began to serve, and that one which served fell, since the start.
    public var servedPlanCount: Int
    public var interruptionCount: Int
    /// Workers that failed, were lost or left since the start.
    public var workerFailureCount: Int
    public var scheduling: SchedulingActivity

    public init(
        state: State, reason: String?, epoch: Epoch, model: ModelDescription, workers: [WorkerStatus],
        runningRequestCount: Int, waitingRequestCount: Int, completedRequestCount: Int, generatedTokenCount: Int,
        uptimeSeconds: Double, servedPlanCount: Int = 0, interruptionCount: Int = 0, workerFailureCount: Int = 0,
        scheduling: SchedulingActivity = SchedulingActivity()
    ) {
        self.state = state
        self.reason = reason
        self.epoch = epoch
        self.model = model
        self.workers = workers
        self.runningRequestCount = runningRequestCount
        self.waitingRequestCount = waitingRequestCount
        self.completedRequestCount = completedRequestCount
        self.generatedTokenCount = generatedTokenCount
        self.uptimeSeconds = uptimeSeconds
        self.servedPlanCount = servedPlanCount
        self.interruptionCount = interruptionCount
        self.workerFailureCount = workerFailureCount
        self.scheduling = scheduling
    }
}
