import Inference

/// Whether a pipeline goes forward: its oldest unanswered step and what its stages' heartbeats say.
///
/// Slow is not dead: a layer more, a row more, a step more of any stage is progress. Pauses that ended by themselves
/// stretch the patience to twice the longest of them, up to four times of what was asked for.
struct ProgressWatch: Sendable {
    private struct Sign: Hashable {
        let finishedStepCount: UInt64
        let computedRowCount: UInt64
        let layer: Int?
    }

    private var step: UInt64?
    private var signs: [Sign?] = []
    private var sinceMilliseconds = 0.0
    private var longestPauseMilliseconds = 0.0

    private static let pauseFactor = 2.0
    private static let stretchLimit = 4.0

    /// Takes a look; true when nothing went forward for longer than the patience.
    ///
    /// - Parameters:
    ///   - step: the oldest unanswered one; nil when none is in flight.
    ///   - heartbeats: the latest of each stage.
    ///   - patience: in milliseconds.
    mutating func stands(step: UInt64?, heartbeats: [Heartbeat?], patience: Double, now: Double) -> Bool {
        let signs = heartbeats.map { beat in
            beat.map {
                Sign(
                    finishedStepCount: $0.finishedStepCount, computedRowCount: $0.computedRowCount, layer: $0.layer)
            }
        }
        if step == nil || step != self.step || signs != self.signs {
            if self.step != nil { longestPauseMilliseconds = max(longestPauseMilliseconds, now - sinceMilliseconds) }
            (self.step, self.signs, sinceMilliseconds) = (step, signs, now)
        }
        let stretched = min(Self.pauseFactor * longestPauseMilliseconds, Self.stretchLimit * patience)
        return step != nil && now - sinceMilliseconds > max(patience, stretched)
    }

    /// The stage, by its place, that a step which stands is to be laid to, and why: the first that has not finished it.
    ///
    /// - Parameters:
    ///   - nodes: in pipeline order, at least one.
    ///   - heartbeats: the latest of each.
    static func culprit(step: UInt64, nodes: [NodeID], heartbeats: [Heartbeat?]) -> (index: Int, reason: String) {
        let unfinished = zip(nodes, heartbeats).enumerated().first { ($0.element.1?.finishedStepCount ?? 0) <= step }
        guard let (index, (node, beat)) = unfinished else {
            let last = nodes.count - 1
            return (last, "\(nodes[last]) finished step \(step), but its result did not come")
        }
        if let layer = beat?.layer {
            return (index, "the computation hangs: \(node) is in layer \(layer) of step \(step)")
        }
        let before = index > 0 ? "worker \(nodes[index - 1])" : "the coordinator"
        let link = index > 0 && heartbeats[index - 1]?.nextLinkUp == false ? ", which reports the link to it down" : ""
        return (index, "\(node) never began step \(step): the link to it from \(before)\(link) is cut, or it hangs")
    }
}
