import Inference

/// Workers that are silent, hang or cannot reach each other.
extension Membership {
    mutating func checkSilence(now: Double) {
        for worker in inOrder where now - worker.lastHeardMilliseconds > worker.silence.limitMilliseconds {
            let reason = "silent for more than \(Int(worker.silence.limitMilliseconds)) ms"
            directives.append(.close(worker.stream, reason: reason))
            lose(worker.stream, reason, now: now)
        }
    }

    /// Finds replicas whose steps stand behind live heartbeats.
    mutating func checkProgress(_ oldestSteps: [Epoch: UInt64], now: Double) {
        let patience = Double(configuration.progressMilliseconds)
        for replica in replicas where replica.isServing && standing[replica.id] == replica {
            let nodes = replica.placement.stages.map(\.node)
            let heartbeats = nodes.map { workers[$0]?.heartbeat }
            let step = oldestSteps[replica.epoch]
            let stands = watches[replica.id, default: ProgressWatch()].stands(
                step: step, heartbeats: heartbeats, patience: patience, now: now)
            guard stands, let step else { continue }
            let (index, reason) = ProgressWatch.culprit(step: step, nodes: nodes, heartbeats: heartbeats)
            let milliseconds = configuration.progressMilliseconds
            blame(
                nodes[index], "no stage went forward for \(milliseconds) ms: \(reason)", replica,
                isCrash: heartbeats[index]?.layer != nil, now: now)
        }
    }

    /// Finds links between two workers that are down although both are alive.
    mutating func checkLinks(now: Double) {
        let patience = Double(configuration.progressMilliseconds)
        // One that is silent itself is judged by that.
        let fresh = 4 * Double(configuration.heartbeatMilliseconds)
        for replica in replicas where replica.isServing && standing[replica.id] == replica {
            let nodes = replica.placement.stages.map(\.node)
            let cut = zip(nodes, nodes.dropFirst()).first { from, to in
                guard let since = workers[from]?.linkDownSinceMilliseconds, let next = workers[to] else { return false }
                return now - since > patience && now - next.lastHeardMilliseconds <= fresh
            }
            guard let (from, to) = cut else { continue }
            blame(
                to,
                "worker \(from) cannot reach it for \(configuration.progressMilliseconds) ms although both are alive: "
                    + "the link between them is cut", replica, now: now)
        }
    }

    /// Takes the worker for failed: it will not answer by itself, so others come first.
    private mutating func blame(
        _ node: NodeID, _ text: String, _ replica: Replica, isCrash: Bool = false, now: Double
    ) {
        workers[node]?.fail(text, isOutAtOnce: true, now: now)
        workerFailureCount += 1
        directives.append(.note("worker \(node) failed: \(text)"))
        fall(replica, "worker \(node) failed: \(text)", isCrash: isCrash, now: now)
    }
}
