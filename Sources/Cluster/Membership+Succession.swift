import Inference

/// Planned changes: a new plan is prepared beside the one that serves, takes its pages over, and then its place.
///
/// Its workers load the layers that they lack and fetch the pages of these from those who hold them, while the old plan
/// serves. When all have done so no steps are sent for a moment, what was written last is fetched, and the next step
/// goes to the new plan. Whatever fails before that leaves the old plan as it is.
extension Membership {
    /// Without a word from a plan in preparation for so many times the patience for progress, it is given up.
    private static let preparationPatience = 60.0

    func succession(of node: NodeID) -> Succession? { successions.values.first { $0.replica.contains(node) } }

    /// Begins to hand a replica over to workers without one of them; false when no plan has as many pages and can be
    /// prepared beside the one that serves.
    mutating func beginSuccession(of replica: Replica, without node: NodeID, now: Double) -> Bool {
        guard replica.isServing, successions[replica.id] == nil,
            let planned = succeedingPlan(of: replica, without: node)
        else { return false }
        let new = Replica(
            id: replica.id, epoch: nextEpoch(), placement: planned.placement, tokensPerSecond: planned.tokensPerSecond,
            loading: Set(planned.placement.stages.map(\.node)))
        successions[replica.id] = Succession(replica: new, heardMilliseconds: now)
        for (index, stage) in new.placement.stages.enumerated() {
            if workers[stage.node]?.replica == nil {
                workers[stage.node]?.leaveStage(now: now)
                workers[stage.node]?.state = .loading
            }
            guard let stream = workers[stage.node]?.stream else { continue }
            directives.append(.send(stream, .assign(assignment(of: index, in: new, succeeding: replica))))
        }
        directives.append(.note("\(replica.epoch) will go on as \(new.epoch), without worker \(node)"))
        return true
    }

    /// The plan with least to move: a free worker in the place of the one that goes, or else the best one of all.
    private func succeedingPlan(of replica: Replica, without node: NodeID) -> PlannedReplica? {
        let pageCount = replica.placement.pageCount
        let planner = ReplicaPlanner(
            model: configuration.model, pageCount: pageCount, pageLimit: pageCount,
            streamLimit: configuration.streamLimit)
        let stages = replica.placement.stages
        let free = inOrder.filter { isFree($0) && !$0.isOut && $0.departure == nil && $0.hello.node != node }
        for worker in free {
            let chain = stages.compactMap { $0.node == node ? worker : workers[$0.node] }
            guard chain.count == stages.count else { continue }
            let planned = try? planner.pipeline(chain.map(\.capacity), layerCounts: stages.map(\.layers.count))
            if let planned, canPrepare(planned.placement, beside: replica) { return planned }
        }
        let staying = inOrder.filter { $0.replica == replica.id && $0.hello.node != node } + free
        guard !staying.isEmpty,
            let planned = try? planner.pipeline(staying.map(\.capacity), layerCounts: configuration.layerCounts),
            canPrepare(planned.placement, beside: replica)
        else { return nil }
        return planned
    }

    /// Whether all workers have the memory for what they hold in both plans together, and the plan has as many pages.
    private func canPrepare(_ placement: Placement, beside replica: Replica) -> Bool {
        let model = configuration.model
        return placement.pageCount == replica.placement.pageCount
            && placement.stages.allSatisfy { stage in
                let old = replica.placement.stages.first { $0.node == stage.node }?.layers
                let byteCount = model.memoryByteCount(
                    of: stage.layers, beside: old, pageCount: placement.pageCount)
                return byteCount <= workers[stage.node]?.hello.memoryByteCount ?? 0
            }
    }

    /// Who holds the pages of the layers that a worker comes to have.
    func sources(of stage: StagePlacement, from predecessor: Replica) -> [PageSource] {
        predecessor.placement.stages.compactMap { old in
            guard old.node != stage.node, let address = workers[old.node]?.address,
                let layers = LayerRange(
                    first: max(old.layers.first, stage.layers.first), end: min(old.layers.end, stage.layers.end))
            else { return nil }
            return PageSource(layers: layers, address: address)
        }
    }

    // MARK: Its way

    mutating func becomePrepared(_ node: NodeID, _ epoch: Epoch, now: Double) {
        guard var succession = succession(of: node), succession.replica.epoch == epoch,
            succession.replica.loading.remove(node) != nil
        else { return }
        succession.heardMilliseconds = now
        workers[node]?.load = nil
        workers[node]?.loadedFraction = 1
        if succession.replica.loading.isEmpty {
            succession.phase = .quieting
            directives.append(.pause(succession.replica.id))
        }
        successions[succession.replica.id] = succession
    }

    /// The last step of a plan is answered: what it wrote since is fetched.
    mutating func takeOver(from epoch: Epoch, now: Double) {
        guard let replica = replica(of: epoch), var succession = successions[replica.id], succession.phase == .quieting
        else { return }
        let nodes = succession.replica.placement.stages.map(\.node)
        succession.phase = .moving(Set(nodes))
        succession.heardMilliseconds = now
        successions[replica.id] = succession
        tell(nodes, .takeOver(epoch: succession.replica.epoch))
    }

    mutating func completeMove(_ node: NodeID, _ epoch: Epoch, now: Double) {
        guard var succession = succession(of: node), succession.replica.epoch == epoch,
            case .moving(var missing) = succession.phase, missing.remove(node) != nil
        else { return }
        succession.phase = .moving(missing)
        successions[succession.replica.id] = succession
        if missing.isEmpty { complete(succession.replica, now: now) }
    }

    private mutating func complete(_ new: Replica, now: Double) {
        guard let old = standing[new.id], let first = new.placement.stages.first,
            let stage0 = workers[first.node]?.stream
        else { return }
        successions[new.id] = nil
        standing[new.id] = new
        watches[new.id] = nil
        for stage in old.placement.stages { workers[stage.node]?.leaveStage(now: now) }
        for stage in new.placement.stages { workers[stage.node]?.serve(new.id, stage, now: now) }
        directives.append(.succeed(new, stage0: stage0))
        let nodes = (old.placement.stages + new.placement.stages.filter { !old.contains($0.node) }).map(\.node)
        tell(nodes, .retire(epoch: old.epoch))
        plan(now: now)
        retryDepartures(now: now)
    }

    // MARK: Its failure

    /// The plan that serves goes on alone. Workers that were to be drained by the change are replaced by replay.
    mutating func giveUp(_ id: ReplicaID, _ reason: String, now: Double) {
        guard let succession = successions[id] else { return }
        abandon(id)
        directives.append(.note("\(succession.replica.epoch) does not come to serve: \(reason)"))
        if succession.isPaused, standing[id] != nil { directives.append(.resume(id)) }
        guard let replica = standing[id] else { return }
        for stage in replica.placement.stages where workers[stage.node]?.departure == .draining {
            workers[stage.node]?.departure = .wanted
            replaceByReplay(stage.node, now: now)
        }
        retryDepartures(now: now)
    }

    /// Forgets a plan to come; its workers do, too.
    mutating func abandon(_ id: ReplicaID) {
        guard let succession = successions.removeValue(forKey: id) else { return }
        let nodes = succession.replica.placement.stages.map(\.node)
        tell(nodes, .retire(epoch: succession.replica.epoch))
        for node in nodes {
            workers[node]?.load = nil
            if workers[node]?.replica == nil, workers[node]?.state == .loading { workers[node]?.state = .joined }
        }
    }

    /// Gives up what takes too long: the pages that were written last, above all, since no step is sent meanwhile.
    mutating func checkSuccessions(now: Double) {
        for (id, succession) in successions.sorted(by: { $0.key < $1.key }) {
            let patience =
                Double(configuration.progressMilliseconds) * (succession.isPaused ? 1 : Self.preparationPatience)
            guard now - succession.heardMilliseconds > patience else { continue }
            giveUp(id, "it did not go forward for \(Int(patience)) ms", now: now)
        }
    }

    private mutating func tell(_ nodes: [NodeID], _ message: CoordinatorMessage) {
        for node in nodes {
            if let stream = workers[node]?.stream { directives.append(.send(stream, message)) }
        }
    }
}
