import Cluster
import Inference

/// One end of a connection.
enum Endpoint: Hashable {
    case coordinator
    /// By index.
    case worker(Int)
}

/// The connections between nodes: each brings its messages in order, after the link's delay, jitter and time for the
/// bytes; activations have connections of their own, beside those of the control messages.
struct SimulatedNetwork {
    private struct Channel: Hashable {
        let from: Endpoint
        let to: Endpoint
        let isBulk: Bool
    }

    private struct Progress {
        /// Until when earlier bytes take the link.
        var busyUntil = 0.0
        var lastArrival = 0.0
    }

    private let links: ClusterLinks
    private let nodes: [NodeID]
    /// The delay grows by up to this part of it.
    private let jitter: Double
    private var random: SimulatedRandom
    private var channels: [Channel: Progress] = [:]

    init(links: ClusterLinks, nodes: [NodeID], jitter: Double, random: SimulatedRandom) {
        self.links = links
        self.nodes = nodes
        self.jitter = jitter
        self.random = random
    }

    /// When a message arrives that is sent now, in milliseconds.
    mutating func arrival(from: Endpoint, to: Endpoint, byteCount: Int, isBulk: Bool, now: Double) -> Double {
        let link = link(from, to)
        let channel = Channel(from: from, to: to, isBulk: isBulk)
        var progress = channels[channel] ?? Progress()
        let left = max(now, progress.busyUntil) + link.busySeconds(byteCount: byteCount) * 1000
        let delay = link.delaySeconds * 1000 * (jitter > 0 ? 1 + jitter * random.fraction() : 1)
        progress.busyUntil = left
        progress.lastArrival = max(progress.lastArrival, left + delay)
        channels[channel] = progress
        return progress.lastArrival
    }

    private func link(_ from: Endpoint, _ to: Endpoint) -> LinkSpeed {
        guard case .worker(let one) = from, case .worker(let other) = to else { return links.ordinary }
        return links.between(nodes[one], nodes[other])
    }
}
