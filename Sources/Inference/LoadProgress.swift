/// How far a worker is with loading its layers.
public struct LoadProgress: Hashable, Sendable, Codable {
    /// What is being done.
    public enum Activity: String, Hashable, Sendable, Codable, CaseIterable {
        /// The checkpoint's weights are brought into the form that is computed with.
        case packing
        /// Weights that were packed earlier are read.
        case readingCache
        /// The checkpoint's weights are compared with those that were packed earlier.
        case comparing
        /// A node that has the checkpoint hashes it, so that what is fetched from there can be checked.
        case hashing
        /// The checkpoint's weights are fetched from other nodes.
        case fetching
    }

    public let activity: Activity
    /// Bytes of packed weights that are in memory; of the checkpoint, hashed or here, while it is hashed or fetched.
    public let doneByteCount: Int
    /// The same in all.
    public let totalByteCount: Int

    public init(activity: Activity, doneByteCount: Int, totalByteCount: Int) {
        self.activity = activity
        self.doneByteCount = doneByteCount
        self.totalByteCount = totalByteCount
    }

    /// How much is done, 0 to 1.
    public var fraction: Double {
        totalByteCount > 0 ? min(1, max(0, Double(doneByteCount) / Double(totalByteCount))) : 0
    }
}
