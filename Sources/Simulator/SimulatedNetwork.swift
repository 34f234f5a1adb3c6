import Cluster
import Inference

/// One end of a connection.
enum Endpoint: Hashable, Sendable {
    case coordinator
    /// By index.
    case worker(Int)
}

/// The connections between nodes: each brings its messages in order, after the link's delay, jitter and time for the
/// bytes; activations have connections of their own, beside those of the control messages.
///
/// While a direction is cut its messages wait, as TCP sends them again; once it is healed they go on, in order.
struct SimulatedNetwork {
    private struct Channel: Hashable {
        let from: Endpoint
        let to: Endpoint
        let isBulk: Bool
    }

    struct Direction: Hashable {
        let from: Endpoint
        let to: Endpoint
    }

    private struct Progress {
        /// Until when earlier bytes take the link.
        var busyUntil = 0.0
        var lastArrival = 0.0
    }

    private struct Held {
        let event: SimulationEvent
        let byteCount: Int
        let isBulk: Bool
    }

    private let links: ClusterLinks
    private let nodes: [NodeID]
    /// The delay grows by up to this part of it.
    private let jitter: Double
    private var random: SimulatedRandom
    private var channels: [Channel: Progress] = [:]
    /// How many faults cut a direction, and what waits for their end.
    private var cuts: [Direction: Int] = [:]
    private var held: [Direction: [Held]] = [:]
    /// By how much faults slow a direction; the slowest one counts.
    private var slowness: [Direction: [Double]] = [:]

    init(links: ClusterLinks, nodes: [NodeID], jitter: Double, random: SimulatedRandom) {
        self.links = links
        self.nodes = nodes
        self.jitter = jitter
        self.random = random
    }

    /// When a message arrives that is sent now, in milliseconds; nil when it waits for a cut to be healed.
    mutating func send(
        _ event: SimulationEvent, from: Endpoint, to: Endpoint, byteCount: Int = 0, isBulk: Bool = false, now: Double
    ) -> Double? {
        let direction = Direction(from: from, to: to)
        guard cuts.isEmpty || cuts[direction] == nil else {
            held[direction, default: []].append(Held(event: event, byteCount: byteCount, isBulk: isBulk))
            return nil
        }
        let link = link(from, to)
        let factor = slowness.isEmpty ? 1 : slowness[direction]?.max() ?? 1
        let channel = Channel(from: from, to: to, isBulk: isBulk)
        var progress = channels[channel] ?? Progress()
        let left = max(now, progress.busyUntil) + link.busySeconds(byteCount: byteCount) * 1000 * factor
        let delay = link.delaySeconds * 1000 * factor * (jitter > 0 ? 1 + jitter * random.fraction() : 1)
        progress.busyUntil = left
        progress.lastArrival = max(progress.lastArrival, left + delay)
        channels[channel] = progress
        return progress.lastArrival
    }

    /// Whether a conversation between the two is possible.
    func isOpen(_ one: Endpoint, _ other: Endpoint) -> Bool {
        cuts.isEmpty || cuts[Direction(from: one, to: other)] == nil && cuts[Direction(from: other, to: one)] == nil
    }

    /// Whether nothing comes through in either direction.
    func isCut(_ one: Endpoint, _ other: Endpoint) -> Bool {
        cuts[Direction(from: one, to: other)] != nil && cuts[Direction(from: other, to: one)] != nil
    }

    mutating func cut(_ direction: Direction) { cuts[direction, default: 0] += 1 }

    /// Ends a cut; when it was the last one, the messages that waited come out with their times of arrival.
    mutating func heal(_ direction: Direction, now: Double) -> [(event: SimulationEvent, milliseconds: Double)] {
        guard let count = cuts[direction] else { return [] }
        cuts[direction] = count > 1 ? count - 1 : nil
        guard count == 1, let waiting = held.removeValue(forKey: direction) else { return [] }
        return waiting.compactMap { one in
            send(
                one.event, from: direction.from, to: direction.to, byteCount: one.byteCount, isBulk: one.isBulk,
                now: now
            ).map { (one.event, $0) }
        }
    }

    mutating func slow(_ direction: Direction, by factor: Double) { slowness[direction, default: []].append(factor) }

    mutating func endSlowness(_ direction: Direction, by factor: Double) {
        guard let place = slowness[direction]?.firstIndex(of: factor) else { return }
        slowness[direction]?.remove(at: place)
    }

    /// A process ended: what comes after it does not wait for what was on its connections.
    mutating func forget(_ end: Endpoint) { channels = channels.filter { $0.key.from != end && $0.key.to != end } }

    private func link(_ from: Endpoint, _ to: Endpoint) -> LinkSpeed {
        guard case .worker(let one) = from, case .worker(let other) = to else { return links.ordinary }
        return links.between(nodes[one], nodes[other])
    }
}
