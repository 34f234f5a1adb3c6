public import Inference

/// What a progress bar says while workers load their layers.
public struct LoadingBar {
    private let began: Double
    /// The latest that each worker said: one that is done says nothing any more.
    private var latest: [NodeID: LoadProgress] = [:]

    /// - Parameter nowSeconds: when loading began, on any clock.
    public init(nowSeconds: Double) { began = nowSeconds }

    public struct Line: Hashable, Sendable {
        /// What is done; it changes seldom.
        public let label: String
        /// How far it is, in bytes and bytes per second.
        public let detail: String
        public let fraction: Double
    }

    /// The line for one worker that says what it does.
    public mutating func line(for progress: LoadProgress, layerCount: Int, nowSeconds: Double) -> Line {
        latest = [NodeID(""): progress]
        return line(layerCount: layerCount, workerCount: 1, nowSeconds: nowSeconds)
    }

    /// The line for all workers of a cluster.
    public mutating func line(for status: ClusterStatus, nowSeconds: Double) -> Line {
        for worker in status.workers {
            if let load = worker.load { latest[worker.id] = load }
            if worker.loadedFraction >= 1, let last = latest[worker.id] {
                latest[worker.id] = LoadProgress(
                    activity: last.activity, doneByteCount: last.totalByteCount, totalByteCount: last.totalByteCount)
            }
        }
        return line(
            layerCount: status.model.layerCount, workerCount: status.workers.count { $0.layers != nil },
            nowSeconds: nowSeconds)
    }

    private func line(layerCount: Int, workerCount: Int, nowSeconds: Double) -> Line {
        let layers = "\(layerCount) layer\(layerCount == 1 ? "" : "s")"
        let place = workerCount > 1 ? " for \(workerCount) workers" : ""
        let underWay = latest.values.filter { $0.doneByteCount < $0.totalByteCount }
        let activities = Set((underWay.isEmpty ? Array(latest.values) : underWay).map(\.activity))
        let label =
            if activities.contains(.hashing) {
                "waiting for the coordinator, which hashes the model"
            } else if activities.contains(.fetching) {
                "fetching \(layers)\(place)"
            } else if activities.contains(.packing) {
                "packing \(layers)\(place)"
            } else if activities.contains(.comparing) {
                "comparing \(layers) with the cache\(place)"
            } else if activities.contains(.readingCache) {
                "reading \(layers) from the cache\(place)"
            } else {
                "loading \(layers)\(place)"
            }
        let done = latest.values.reduce(0) { $0 + $1.doneByteCount }
        let total = latest.values.reduce(0) { $0 + $1.totalByteCount }
        let seconds = nowSeconds - began
        let rate = seconds > 0.05 ? ", \(ByteCount.text(Int(Double(done) / seconds)))/s" : ""
        return Line(
            label: label, detail: total > 0 ? "\(ByteCount.text(done)) of \(ByteCount.text(total))\(rate)" : "",
            fraction: total > 0 ? Double(done) / Double(total) : 0)
    }
}
