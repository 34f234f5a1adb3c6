public import Cluster
import Inference
public import Scheduling

/// Everything that a simulation depends on: the same scenario gives the same run.
public struct Scenario: Sendable {
    /// In order of joining.
    public var workers: [WorkerCapacity]
    public var model: ModelFootprint
    public var links: ClusterLinks
    public var scheduling: SchedulerConfiguration
    /// KV pages for one context.
    public var pageCount: Int
    /// The most KV pages.
    public var pageLimit: Int
    public var traffic: Traffic
    public var seed: UInt64
    /// How much links are late and steps are slow at random, as a part of their time.
    public var jitter: Double
    /// The part of the workers' measured speeds that whole models reach: attention, norms, quantising of rows and the
    /// waits of threads for each other take the rest.
    public var speedFraction: Double
    /// What a stage takes for a step of any size besides.
    var stepOverheadMilliseconds = 0.0
    /// Bytes of weights per second from disk into memory.
    public var loadBytesPerSecond = 2e9
    public var heartbeatMilliseconds = 1000
    public var silenceMilliseconds = 5000
    /// Without any progress of steps in flight for so long, a worker failed; only where there are faults.
    var progressMilliseconds = 4000
    /// Workers that the first plan waits for.
    var minimumWorkerCount: Int
    /// Pipelines that each hold the whole model; nil as many as the planner likes.
    var replicaCount: Int? = 1
    /// Without a plan for so long, requests end with an error.
    var outageMilliseconds = 30_000.0
    var faults: [Fault] = []
    /// Requests that kill the workers which compute them; nil when there are none.
    var poison: Poison?

    public static let workerLimit = 64
    public static let requestLimit = 10_000

    public init(
        workers: [WorkerCapacity], model: ModelFootprint, links: ClusterLinks, scheduling: SchedulerConfiguration,
        pageCount: Int, pageLimit: Int? = nil, traffic: Traffic, seed: UInt64, jitter: Double = 0.1,
        speedFraction: Double = 1
    ) {
        precondition(speedFraction > 0)
        precondition((1...Self.workerLimit).contains(workers.count) && traffic.requestCount <= Self.requestLimit)
        self.workers = workers
        minimumWorkerCount = workers.count
        self.model = model
        self.links = links
        self.scheduling = scheduling
        self.pageCount = pageCount
        self.pageLimit = pageLimit ?? pageCount * scheduling.runningSequenceLimit
        self.traffic = traffic
        self.seed = seed
        self.jitter = jitter
        self.speedFraction = speedFraction
    }

    var clusterConfiguration: ClusterConfiguration {
        ClusterConfiguration(
            model: model, modelPath: "simulated", modelFingerprint: "simulated", kvType: .f16, pageCount: pageCount,
            pageLimit: pageLimit, maxRowCount: scheduling.maxRowCount, vocabularyLimit: scheduling.vocabularySize,
            numericsVersion: 1, minimumWorkerCount: minimumWorkerCount, replicaCount: replicaCount,
            heartbeatMilliseconds: heartbeatMilliseconds, silenceMilliseconds: silenceMilliseconds,
            // Slow machines and links show their progress as coarse as they like where nothing can go wrong.
            progressMilliseconds: faults.isEmpty ? 1_000_000_000 : progressMilliseconds)
    }
}
