public import Inference

/// How fast data goes from one worker to another.
public struct LinkSpeed: Hashable, Sendable {
    public let bytesPerSecond: Double
    /// From sending a small message to its being read.
    public let delaySeconds: Double

    /// Both are finite; the speed is above 0, the delay at least 0.
    public init(bytesPerSecond: Double, delaySeconds: Double) {
        precondition(bytesPerSecond > 0 && bytesPerSecond.isFinite, "a link has a speed")
        precondition(delaySeconds >= 0 && delaySeconds.isFinite, "a delay is not negative")
        self.bytesPerSecond = bytesPerSecond
        self.delaySeconds = delaySeconds
    }

    /// Two processes of one machine: as fast as copying, and as late as waking the other one.
    public static let loopback = LinkSpeed(bytesPerSecond: 2e9, delaySeconds: 50e-6)

    /// How long the link is taken by so many bytes.
    public func busySeconds(byteCount: Int) -> Double { Double(byteCount) / bytesPerSecond }

    /// How long so many bytes take to arrive.
    public func seconds(byteCount: Int) -> Double { delaySeconds + busySeconds(byteCount: byteCount) }
}

/// The links of a cluster: one kind for all, and pairs of workers that have another.
public struct ClusterLinks: Hashable, Sendable {
    /// Two workers, in either order.
    public struct Pair: Hashable, Sendable {
        public let one: NodeID
        public let other: NodeID

        public init(_ one: NodeID, _ other: NodeID) {
            (self.one, self.other) = one.rawValue <= other.rawValue ? (one, other) : (other, one)
        }
    }

    /// Also the link between the coordinator and each worker.
    public let ordinary: LinkSpeed
    public let special: [Pair: LinkSpeed]

    public init(ordinary: LinkSpeed = .loopback, special: [Pair: LinkSpeed] = [:]) {
        self.ordinary = ordinary
        self.special = special
    }

    public func between(_ one: NodeID, _ other: NodeID) -> LinkSpeed {
        special.isEmpty ? ordinary : special[Pair(one, other)] ?? ordinary
    }
}
