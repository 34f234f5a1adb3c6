public import Checkpoint
public import Inference

/// What a worker needs to know before it joins.
public struct WorkerConfiguration: Sendable {
    /// The coordinator's address.
    public var coordinatorHost: String
    public var coordinatorPort: Int
    /// Where the worker listens for the previous stage; port 0 picks a free one.
    public var bindHost: String
    public var bindPort: Int
    /// The host under which other workers reach this one.
    public var advertisedHost: String
    public var node: NodeID
    /// For people who look for the process.
    public var processID: Int
    public var threadCount: Int
    /// Processors to pin the compute threads to; nil leaves that to the system.
    public var processors: [Int]?
    /// The most memory for weights and KV pages, in bytes.
    public var memoryByteCount: Int
    /// Speed in bytes of weights per second, for the split.
    public var bytesPerSecond: Double
    /// The worker's own copy of the checkpoint; nil takes the path that the coordinator names.
    public var modelPath: String?
    /// Where packed and fetched weights are kept for the next start; nil packs them anew each time and fetches none.
    public var cache: PackedCache?
    /// Whether weights that this machine lacks are fetched from other nodes. Not with a `modelPath`: what the user named is
    /// what is wanted.
    public var fetchesWeights = true
    /// Hears how far loading is, from any thread: for people who watch.
    public var watchLoading: (@Sendable (LoadProgress, LayerRange) -> Void)?

    public init(
        coordinatorHost: String, coordinatorPort: Int, bindHost: String, bindPort: Int, advertisedHost: String,
        node: NodeID, processID: Int, threadCount: Int, processors: [Int]?, memoryByteCount: Int,
        bytesPerSecond: Double, modelPath: String?, cache: PackedCache? = nil,
        watchLoading: (@Sendable (LoadProgress, LayerRange) -> Void)? = nil
    ) {
        self.coordinatorHost = coordinatorHost
        self.coordinatorPort = coordinatorPort
        self.bindHost = bindHost
        self.bindPort = bindPort
        self.advertisedHost = advertisedHost
        self.node = node
        self.processID = processID
        self.threadCount = threadCount
        self.processors = processors
        self.memoryByteCount = memoryByteCount
        self.bytesPerSecond = bytesPerSecond
        self.modelPath = modelPath
        self.cache = cache
        self.watchLoading = watchLoading
    }
}

/// Why a worker stopped or could not do its part.
public struct WorkerError: Error, Sendable, CustomStringConvertible {
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
