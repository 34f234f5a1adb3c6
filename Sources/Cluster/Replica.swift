public import Inference

/// A pipeline that holds the whole model: planned, then loaded, then served in one epoch.
public struct Replica: Hashable, Sendable {
    public let id: ReplicaID
    /// Of its plan; no other replica has the same.
    public let epoch: Epoch
    public let placement: Placement
    /// The forecast for as many streams as it can run at once.
    public let tokensPerSecond: Double
    /// Stages that did not report ready yet.
    var loading: Set<NodeID>

    /// Whether a worker is one of its stages.
    func contains(_ node: NodeID) -> Bool { placement.stages.contains { $0.node == node } }

    /// Whether all stages are ready.
    public var isServing: Bool { loading.isEmpty }
}

/// A pipeline that could be built.
public struct PlannedReplica: Hashable, Sendable {
    public let placement: Placement
    /// The forecast for as many streams as it can run at once.
    public let tokensPerSecond: Double
}
