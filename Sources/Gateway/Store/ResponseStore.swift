/// Keeps answers of `/v1/responses` for as long as there is room, so that later requests can go on from them.
///
/// Records are bytes: a store may lie elsewhere, where several gateways reach it.
protocol ResponseStore: Sendable {
    /// Keeps a record under an id; older records may go for it. A record larger than the whole store is not kept.
    func put(_ record: [UInt8], id: String) async throws

    /// The record; nil when it was deleted, has aged out or had to make room. Reading keeps it longer from making room.
    func record(_ id: String) async throws -> [UInt8]?

    /// Whether there was such a record.
    func delete(_ id: String) async throws -> Bool
}

/// How much a store of responses keeps.
public struct ResponseLimits: Hashable, Sendable {
    public var maxCount: Int
    /// Of all records together.
    public var maxByteCount: Int
    public var maxAgeSeconds: Int

    public init(maxCount: Int = 10_000, maxByteCount: Int = 64 << 20, maxAgeSeconds: Int = 24 * 3600) {
        self.maxCount = maxCount
        self.maxByteCount = maxByteCount
        self.maxAgeSeconds = maxAgeSeconds
    }
}
