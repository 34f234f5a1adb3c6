import Inference

/// Which workers form which replicas.
extension Membership {
    /// A replica has lost a stage or broke its contract: what is left of it is free for other plans.
    ///
    /// - Parameter isCrash: whether it may be due to what it computes.
    mutating func fall(_ replica: Replica, _ reason: String, isCrash: Bool = false, now: Double) {
        standing[replica.id] = nil
        abandon(replica.id)
        watches[replica.id] = nil
        for stage in replica.placement.stages { workers[stage.node]?.leaveStage(now: now) }
        if replica.isServing && isCrash { directives.append(.suspect(replica.id, reason: reason)) }
        if replica.isServing { directives.append(.suspend(replica.id, reason: reason)) }
        waitingReason = reason
        plan(now: now)
    }

    /// Forms replicas of the workers that are in none, or says why there is none at all.
    ///
    /// - The first plan waits for `minimumWorkerCount` workers and then takes them all: as one pipeline, or as
    ///   several where these are forecast to give more tokens per second. Workers of one host stay together. A `replicaCount`
    ///   in the configuration decides instead of forecast and hosts.
    /// - While a replica stands, free workers form further ones, best forecast first, up to `replicaCount`; those who are
    ///   too few for the model are spares.
    /// - When none stands any more, all workers that are left are planned with as at first. If they cannot hold the model,
    ///   those that failed too often help out, each once its pause is over.
    /// - Explicit `layerCounts` are for one pipeline each, of workers in order of joining. When too few workers are left for
    ///   them, the planner chooses.
    mutating func plan(now: Double) {
        plannedMilliseconds = now
        // One that is to go is planned with again when nothing goes without it.
        defer { if !standing.isEmpty { dismissDrained() } }
        let free = inOrder.filter { isFree($0) && !$0.isOut && $0.departure != .draining }
        guard standing.isEmpty else {
            let limit = (configuration.replicaCount ?? Int.max) - standing.count
            for replica in further(free, limit: limit) { begin(replica, now: now) }
            return
        }
        let wanted = hasPlanned ? 1 : configuration.minimumWorkerCount
        let staying = inOrder.filter { (!$0.isOut || $0.retryMilliseconds <= now) && $0.departure != .draining }
        let willing = inOrder.filter { !$0.isOut || $0.retryMilliseconds <= now }
        var latestCount = -1
        for workers in [free, staying, willing] where workers.count > latestCount {
            latestCount = workers.count
            guard workers.count >= wanted else {
                waitingReason = Self.waitingReason(present: workers.count, wanted: wanted) + failures
                continue
            }
            do throws(PlacementError) {
                for replica in try first(workers) { begin(replica, now: now) }
                return
            } catch {
                waitingReason = error.message + failures
                directives.append(.note("no plan: \(error.message)"))
            }
        }
    }

    /// Seeks a plan again when none stands and a worker that failed too often may be tried once more.
    mutating func retryFailed(now: Double) {
        let isDue = workers.values.contains { worker in
            worker.isOut && worker.retryMilliseconds > plannedMilliseconds && worker.retryMilliseconds <= now
        }
        if standing.isEmpty, isDue { plan(now: now) }
    }

    var planner: ReplicaPlanner {
        ReplicaPlanner(
            model: configuration.model, pageCount: configuration.pageCount, pageLimit: configuration.pageLimit,
            streamLimit: configuration.streamLimit)
    }

    /// The plan of all workers when no replica stands.
    func first(_ free: [WorkerRecord]) throws(PlacementError) -> [PlannedReplica] {
        let limit = configuration.replicaCount ?? Int.max
        if let layerCounts = configuration.layerCounts, layerCounts.count <= free.count || !hasPlanned {
            let one = try planner.pipeline(free.prefix(layerCounts.count).map(\.capacity), layerCounts: layerCounts)
            let rest = Array(free.dropFirst(layerCounts.count))
            return [one] + (limit > 1 ? further(rest, limit: limit - 1) : [])
        }
        let units = units(free)
        guard limit > 1, units.count > 1 else { return [try planner.pipeline(free.map(\.capacity))] }
        let isExplicit = configuration.replicaCount != nil
        let several = planner.divide(units, limit: limit, usesAll: true, prefersMany: isExplicit)
        guard several.count > 1 else { return [try planner.pipeline(free.map(\.capacity))] }
        guard !isExplicit, let one = try? planner.pipeline(free.map(\.capacity)),
            one.tokensPerSecond >= ReplicaPlanner.sum(several)
        else { return several }
        return [one]
    }

    /// What free workers can form beside the replicas that stand.
    private func further(_ free: [WorkerRecord], limit: Int) -> [PlannedReplica] {
        guard limit > 0, !free.isEmpty else { return [] }
        guard let layerCounts = configuration.layerCounts else {
            return planner.divide(
                units(free), limit: limit, usesAll: false, prefersMany: configuration.replicaCount != nil)
        }
        var replicas: [PlannedReplica] = []
        var rest = free[...]
        while replicas.count < limit, rest.count >= layerCounts.count {
            let workers = rest.prefix(layerCounts.count).map(\.capacity)
            rest = rest.dropFirst(layerCounts.count)
            if let replica = try? planner.pipeline(workers, layerCounts: layerCounts) { replicas.append(replica) }
        }
        return replicas
    }

    /// The workers that the planner may not separate.
    private func units(_ free: [WorkerRecord]) -> [[WorkerCapacity]] {
        guard configuration.replicaCount == nil else { return free.map { [$0.capacity] } }
        var hosts: [String] = []
        var units: [String: [WorkerCapacity]] = [:]
        for worker in free {
            if units[worker.hello.host] == nil { hosts.append(worker.hello.host) }
            units[worker.hello.host, default: []].append(worker.capacity)
        }
        return hosts.compactMap { units[$0] }
    }

    /// Whether a worker is in no plan, nor in one to come.
    func isFree(_ worker: WorkerRecord) -> Bool {
        worker.replica == nil && succession(of: worker.hello.node) == nil
    }

    /// The epoch of the next plan.
    mutating func nextEpoch() -> Epoch {
        // Above everything that any worker has seen, or it would refuse.
        let term = highestSeen > epoch ? max(epoch.term, highestSeen.term + 1) : epoch.term
        epoch = Epoch(term: term, plan: epoch.plan + 1)
        highestSeen = epoch
        return epoch
    }

    private mutating func begin(_ planned: PlannedReplica, now: Double) {
        let placement = planned.placement
        hasPlanned = true
        var number = 0
        while standing[ReplicaID(number)] != nil { number += 1 }
        let replica = Replica(
            id: ReplicaID(number), epoch: nextEpoch(), placement: placement, tokensPerSecond: planned.tokensPerSecond,
            loading: Set(placement.stages.map(\.node)))
        standing[replica.id] = replica
        for (index, stage) in placement.stages.enumerated() {
            workers[stage.node]?.leaveStage(now: now)
            workers[stage.node]?.replica = replica.id
            if workers[stage.node]?.departure == .draining { workers[stage.node]?.departure = .wanted }
            workers[stage.node]?.state = .loading
            guard let stream = workers[stage.node]?.stream else { continue }
            directives.append(.send(stream, .assign(assignment(of: index, in: replica))))
        }
    }

    /// What a stage of a replica is told.
    func assignment(of index: Int, in replica: Replica, succeeding predecessor: Replica? = nil) -> StageAssignment {
        let stages = replica.placement.stages
        let following = index + 1 < stages.count ? stages[index + 1].node : nil
        return StageAssignment(
            epoch: replica.epoch, stage: index, stageCount: stages.count, layers: stages[index].layers,
            modelPath: configuration.modelPath, modelFingerprint: configuration.modelFingerprint,
            kvType: configuration.kvType, pageCount: replica.placement.pageCount,
            maxRowCount: configuration.maxRowCount, vocabularyLimit: configuration.vocabularyLimit,
            next: following.flatMap { workers[$0]?.address }, peers: peers(of: stages[index].node),
            predecessor: predecessor?.epoch,
            sources: predecessor.map { sources(of: stages[index], from: $0) } ?? [])
    }

    /// Workers that another may fetch weights from: those after it in order of joining, so that not all ask the same.
    private func peers(of node: NodeID) -> [NodeAddress] {
        let all = inOrder
        guard let place = all.firstIndex(where: { $0.hello.node == node }) else { return [] }
        return (all[(place + 1)...] + all[..<place]).prefix(Self.peerLimit).map(\.address)
    }

    private static let peerLimit = 4

    /// Who failed and why, for people who wait.
    private var failures: String {
        let failures = inOrder.filter { $0.state == .failed }.map { "\($0.hello.node): \($0.detail ?? "failed")" }
        return failures.isEmpty
            ? "" : " (failed: " + failures.joined(separator: "; ") + "; tried again from time to time)"
    }

    static func waitingReason(present: Int, wanted: Int) -> String {
        "\(present) of \(wanted) workers joined; start more with: phalanx worker --join HOST:PORT"
    }
}
