public import Inference

/// Why a worker is not let go.
public struct DrainRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// No worker has that name.
        case unknownWorker
        /// Without it there is no placement; it goes on.
        case needed
    }

    public let code: Code
    public let message: String

    public var description: String { message }
}

/// Workers that are to leave.
extension Membership {
    /// Takes a worker out of service: its layers go to others, and then it is told to end. A worker that is being drained
    /// already goes on with that.
    ///
    /// Throws when nobody has that name, and when the model could not be served without the worker: then it stays.
    public mutating func drain(_ node: NodeID, now: Double) throws(DrainRefusal) -> [ClusterDirective] {
        guard workers[node] != nil else {
            let names = inOrder.map(\.hello.node.rawValue).joined(separator: ", ")
            throw DrainRefusal(
                code: .unknownWorker,
                message: "no worker is named \(node)" + (names.isEmpty ? "; none has joined" : "; there are \(names)"))
        }
        if let obstacle = obstacle(toDraining: node) {
            throw DrainRefusal(code: .needed, message: "\(node) is needed: \(obstacle)")
        }
        workers[node]?.departure = .draining
        directives.append(.note("worker \(node) is drained"))
        vacate(node, now: now)
        defer { directives = [] }
        return directives
    }

    /// A worker that got a signal asks to be drained; while it is needed, it waits as long as it likes.
    mutating func askToLeave(_ node: NodeID, now: Double) {
        guard let worker = workers[node], worker.departure == nil else { return }
        workers[node]?.departure = .wanted
        directives.append(.note("worker \(node) asks to leave"))
        tryToLeave(node, now: now)
    }

    /// Drains those who asked to leave and are needed no more.
    mutating func retryDepartures(now: Double) {
        for worker in inOrder where worker.departure == .wanted { tryToLeave(worker.hello.node, now: now) }
    }

    private mutating func tryToLeave(_ node: NodeID, now: Double) {
        guard let worker = workers[node] else { return }
        if let obstacle = obstacle(toDraining: node) {
            directives.append(.send(worker.stream, .needed(reason: obstacle)))
            return
        }
        workers[node]?.departure = .draining
        vacate(node, now: now)
    }

    /// What stands against serving without the worker; nil when nothing does.
    private func obstacle(toDraining node: NodeID) -> String? {
        guard let replica = workers[node]?.replica.flatMap({ standing[$0] }) else { return nil }
        if standing.values.contains(where: { $0.id != replica.id && $0.isServing }) { return nil }
        do throws(PlacementError) {
            _ = try first(heirs(of: replica, without: node))
            return nil
        } catch {
            return error.message
        }
    }

    /// The workers that can take a replica's layers over: free ones, and its own that stay.
    private func heirs(of replica: Replica, without node: NodeID) -> [WorkerRecord] {
        inOrder.filter { worker in
            (isFree(worker) || worker.replica == replica.id) && worker.hello.node != node && !worker.isOut
                && worker.departure != .draining
        }
    }

    /// Hands the layers of a worker over: while streams go on if that is possible, by replay otherwise.
    private mutating func vacate(_ node: NodeID, now: Double) {
        guard let replica = workers[node]?.replica.flatMap({ standing[$0] }) else {
            if let succession = succession(of: node) {
                giveUp(succession.replica.id, "worker \(node) is drained", now: now)
            }
            return dismissDrained()
        }
        // A change that is under way ends first.
        guard successions[replica.id] == nil else {
            workers[node]?.departure = .wanted
            return
        }
        if !beginSuccession(of: replica, without: node, now: now) { replaceByReplay(node, now: now) }
    }

    /// The replica falls, and another one takes its place without the worker, unless nothing goes without it.
    mutating func replaceByReplay(_ node: NodeID, now: Double) {
        guard obstacle(toDraining: node) == nil, let replica = workers[node]?.replica.flatMap({ standing[$0] }) else {
            return
        }
        workers[node]?.departure = .draining
        fall(replica, "worker \(node) is drained", now: now)
        dismissDrained()
    }

    /// Lets drained workers go that have no layers any more. While no replica stands they may still be needed.
    mutating func dismissDrained() {
        for worker in inOrder where worker.departure == .draining && isFree(worker) {
            let node = worker.hello.node
            directives.append(.send(worker.stream, .shutdown(reason: "drained")))
            directives.append(.close(worker.stream, reason: "worker \(node) is drained"))
            directives.append(.note("worker \(node) is drained and may go"))
            forget(worker)
        }
    }
}
