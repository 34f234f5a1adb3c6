/// The remote procedures that nodes offer; `proto/` describes their messages.
public enum Services {
    /// Worker to coordinator, bidirectional: `WorkerMessage`s up, `CoordinatorMessage`s down, for as long as it lives.
    public static let join = RPCMethod(service: "phalanx.v1.Cluster", name: "Join")
    /// Command line to coordinator: takes a worker out of service.
    public static let drain = RPCMethod(service: "phalanx.v1.Cluster", name: "Drain")
    /// Stage to next stage: a stream of activations (`application/grpc+phalanx`), answered once, when it ends.
    public static let forward = RPCMethod(service: "phalanx.v1.Stage", name: "Forward")
    /// Worker to worker: the keys and values of some layers, in messages built like activations.
    public static let pages = RPCMethod(service: "phalanx.v1.Stage", name: "Pages")
    /// Gateway to coordinator: the served model.
    public static let describe = RPCMethod(service: "phalanx.v1.Engine", name: "Describe")
    /// Gateway to coordinator: a tokenizer's definition by hash, in chunks.
    public static let tokenizer = RPCMethod(service: "phalanx.v1.Engine", name: "Tokenizer")
    /// Gateway or command line to coordinator: the state of the cluster.
    public static let status = RPCMethod(service: "phalanx.v1.Engine", name: "Status")
    /// Gateway to coordinator: one request up (then cancellations of single choices), events down.
    public static let generate = RPCMethod(service: "phalanx.v1.Engine", name: "Generate")
    /// Gateway to coordinator: who has an API key.
    public static let authorize = RPCMethod(service: "phalanx.v1.Engine", name: "Authorize")
    /// New node to coordinator: a join token and a certificate request; the only method for those without a certificate.
    public static let enrol = RPCMethod(service: "phalanx.v1.Trust", name: "Enrol")
    /// Node to coordinator: a request for a certificate in place of the one it shows.
    public static let renew = RPCMethod(service: "phalanx.v1.Trust", name: "Renew")
    /// Node to coordinator: whom to believe and whom not, now and whenever that changes.
    public static let watchTrust = RPCMethod(service: "phalanx.v1.Trust", name: "Watch")
    /// Worker to coordinator: the pieces of the checkpoint and their hashes, in chunks.
    public static let manifest = RPCMethod(service: "phalanx.v1.Weights", name: "Manifest")
    /// Worker to coordinator or worker: bytes of the checkpoint (`application/grpc+phalanx`).
    public static let readWeights = RPCMethod(service: "phalanx.v1.Weights", name: "Read")
    /// The standard health service, answered by every node.
    public static let healthCheck = RPCMethod(service: "grpc.health.v1.Health", name: "Check")
    public static let healthWatch = RPCMethod(service: "grpc.health.v1.Health", name: "Watch")
}
