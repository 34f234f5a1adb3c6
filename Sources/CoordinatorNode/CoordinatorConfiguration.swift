public import Inference
public import Trust

/// What a coordinator serves, where and how.
public struct CoordinatorConfiguration: Sendable {
    /// A GGUF file or a Hugging Face directory.
    public var modelPath: String
    /// The name that clients use.
    public var modelAlias: String
    /// The most tokens, prompt and answer together; nil for the model's own length, at most 16384.
    public var contextLength: Int?
    public var kvType: KVType
    /// The most rows in a step.
    public var chunkRowCount: Int
    /// The most prompt rows in a step while other requests decode; nil for a quarter of `chunkRowCount`.
    public var pacedChunkRowCount: Int?
    /// Sequences (choices of requests) that are computed at the same time.
    public var runningSequenceLimit: Int
    /// The most bytes of keys and values, all layers together; nil for what the workers' memory leaves.
    public var kvMemoryByteCount: Int?
    /// Layers per worker in order of joining; nil lets the planner decide.
    public var split: [Int]?
    /// Pipelines that each hold the whole model; nil lets the planner decide (see `ClusterConfiguration.replicaCount`).
    public var replicaCount: Int?
    /// Use LongRoPE's long factors from the first token on.
    public var forcesLongRope: Bool
    public var bindHost: String
    /// 0 picks a free one.
    public var bindPort: Int
    /// The coordinator plans once so many workers have joined.
    public var minimumWorkerCount: Int
    /// Requests that may wait; a client that has none there may add one, up to twice as many in all.
    public var waitingRequestLimit: Int
    /// How long a request may take that sets no limit itself.
    public var requestTimeoutMilliseconds: Int?
    public var heartbeatMilliseconds: Int
    /// A worker that is silent for so long is lost.
    public var silenceMilliseconds: Int
    /// When steps are in flight and no stage computes for so long, a worker hangs or a link is cut.
    public var progressMilliseconds: Int
    /// After this long without a plan that works, waiting requests end with an error.
    public var outageMilliseconds: Int
    /// Where the checkpoint's fingerprint is remembered; nil computes it at every start.
    public var cacheDirectory: String?
    /// Where the API keys lie; nil lets everybody ask.
    public var clientKeys: ClientKeyDirectory?
    /// Tell the workers to end when the coordinator ends.
    public var dismissesWorkers = true

    /// Contexts beyond this are only given on demand: their KV pages cost more memory than most requests need.
    public static let defaultContextLimit = 16384
    /// Sequences that run at once in a pipeline unless somebody says otherwise.
    public static let defaultRunningSequenceLimit = 32

    public init(
        modelPath: String, modelAlias: String, contextLength: Int? = nil, kvType: KVType = .f16,
        chunkRowCount: Int = 256, pacedChunkRowCount: Int? = nil,
        runningSequenceLimit: Int = Self.defaultRunningSequenceLimit,
        kvMemoryByteCount: Int? = nil, split: [Int]? = nil, replicaCount: Int? = nil,
        forcesLongRope: Bool = false,
        bindHost: String = "127.0.0.1", bindPort: Int = 7070, minimumWorkerCount: Int = 1,
        waitingRequestLimit: Int = 256,
        requestTimeoutMilliseconds: Int? = nil, heartbeatMilliseconds: Int = 250, silenceMilliseconds: Int = 4500,
        progressMilliseconds: Int = 4000, outageMilliseconds: Int = 30000
    ) {
        self.modelPath = modelPath
        self.modelAlias = modelAlias
        self.contextLength = contextLength
        self.kvType = kvType
        self.chunkRowCount = chunkRowCount
        self.pacedChunkRowCount = pacedChunkRowCount
        self.runningSequenceLimit = runningSequenceLimit
        self.kvMemoryByteCount = kvMemoryByteCount
        self.split = split
        self.replicaCount = replicaCount
        self.forcesLongRope = forcesLongRope
        self.bindHost = bindHost
        self.bindPort = bindPort
        self.minimumWorkerCount = minimumWorkerCount
        self.waitingRequestLimit = waitingRequestLimit
        self.requestTimeoutMilliseconds = requestTimeoutMilliseconds
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.silenceMilliseconds = silenceMilliseconds
        self.progressMilliseconds = progressMilliseconds
        self.outageMilliseconds = outageMilliseconds
    }
}

/// Why a coordinator cannot start or a plan cannot be made.
public struct CoordinatorError: Error, Sendable, CustomStringConvertible {
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
