public import Inference

/// One control stream, named by the shell; never used twice. A worker that reconnects comes with another one.
public struct ControlStreamID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public var description: String { "control stream \(rawValue)" }
}

/// What the shell saw.
public enum ClusterEvent: Hashable, Sendable {
    /// A message came. `StepResult`s go to the scheduler; given here too they only count as a sign of life.
    case message(ControlStreamID, WorkerMessage)
    /// The stream ended, for whatever reason.
    case disconnected(ControlStreamID, reason: String)
    /// The pipeline broke its contract in this epoch (the scheduler found a fault): plan anew.
    case pipelineFailed(Epoch, reason: String)
    /// The oldest unanswered step of each epoch that has one; told before every tick.
    case inFlight([Epoch: UInt64])
    /// A replica that was to be paused has no step in flight any more in its epoch.
    case quiet(Epoch)
    /// Time went on.
    case tick
}

/// What the shell shall do, in this order.
public enum ClusterDirective: Hashable, Sendable {
    case send(ControlStreamID, CoordinatorMessage)
    /// Send what was directed so far, then end the stream.
    case close(ControlStreamID, reason: String)
    /// Before a `.suspend`: a stage of the replica died or failed while it computed, so what is in flight may be why.
    case suspect(ReplicaID, reason: String)
    /// The replica fell: no steps go to it. A `.serve` with its number may follow later, of another epoch.
    case suspend(ReplicaID, reason: String)
    /// All stages are ready: steps of the replica's epoch go to `stage0`.
    case serve(Replica, stage0: ControlStreamID)
    /// The replica's plan is to be replaced between two steps: no steps go to it, and `.quiet` shall tell when those in
    /// flight are answered.
    case pause(ReplicaID)
    /// It goes on with the plan that it has.
    case resume(ReplicaID)
    /// The new plan of a paused replica holds all pages of the one before: its steps go to `stage0`, and nothing is computed
    /// again.
    case succeed(Replica, stage0: ControlStreamID)
    /// For the log.
    case note(String)
}
