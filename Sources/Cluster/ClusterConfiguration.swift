public import Inference

/// What the coordinator serves, and how patient it is.
public struct ClusterConfiguration: Hashable, Sendable {
    public var model: ModelFootprint
    /// Goes into every assignment.
    public var modelPath: String
    public var modelFingerprint: String
    public var kvType: KVType
    /// KV pages of every layer for one sequence of the context that was asked for.
    public var pageCount: Int
    /// The most KV pages, for many sequences, as far as the workers' memory reaches.
    public var pageLimit: Int
    /// The most rows in a step.
    public var maxRowCount: Int
    public var vocabularyLimit: Int
    /// Kernels of other versions compute other bits.
    public var numericsVersion: UInt32
    /// Workers to wait for before the first plan; afterwards any number that the model fits into goes on.
    public var minimumWorkerCount: Int
    /// Layers per worker, in order of joining (`--split`); nil lets the planner choose.
    public var layerCounts: [Int]?
    /// Pipelines that each hold the whole model: so many, as far as the workers allow it. Nil lets the first plan decide
    /// by the forecast, where workers of one host stay together, and builds more beside whenever later workers can hold
    /// the model.
    public var replicaCount: Int?
    /// The most streams that a pipeline runs at once.
    public var streamLimit: Int
    /// The pace of heartbeats that workers are asked for.
    public var heartbeatMilliseconds: Int
    /// A worker that says nothing for so long is lost; earlier, when its heartbeats came regularly (see `SilenceDetector`),
    /// but never before `leastSilenceMilliseconds`.
    public var silenceMilliseconds: Int
    public var leastSilenceMilliseconds: Int
    /// When steps are in flight and no stage computes for so long, or a link between stages is down, a worker has failed.
    public var progressMilliseconds: Int

    public init(
        model: ModelFootprint, modelPath: String, modelFingerprint: String, kvType: KVType, pageCount: Int,
        pageLimit: Int? = nil, maxRowCount: Int, vocabularyLimit: Int, numericsVersion: UInt32,
        minimumWorkerCount: Int = 1,
        layerCounts: [Int]? = nil, replicaCount: Int? = nil, streamLimit: Int = 32, heartbeatMilliseconds: Int = 500,
        silenceMilliseconds: Int = 4500, leastSilenceMilliseconds: Int = 3000, progressMilliseconds: Int = 4000
    ) {
        precondition(replicaCount ?? 1 > 0 && streamLimit > 0)
        precondition(minimumWorkerCount > 0 && heartbeatMilliseconds > 0)
        precondition(progressMilliseconds > 0)
        precondition(silenceMilliseconds > heartbeatMilliseconds, "one heartbeat at least must fit into the silence")
        self.model = model
        self.modelPath = modelPath
        self.modelFingerprint = modelFingerprint
        self.kvType = kvType
        self.pageCount = pageCount
        self.pageLimit = max(pageCount, pageLimit ?? pageCount)
        self.maxRowCount = maxRowCount
        self.vocabularyLimit = vocabularyLimit
        self.numericsVersion = numericsVersion
        self.minimumWorkerCount = minimumWorkerCount
        self.layerCounts = layerCounts
        self.replicaCount = replicaCount
        self.streamLimit = streamLimit
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.silenceMilliseconds = silenceMilliseconds
        self.leastSilenceMilliseconds = min(leastSilenceMilliseconds, silenceMilliseconds)
        self.progressMilliseconds = progressMilliseconds
    }
}
