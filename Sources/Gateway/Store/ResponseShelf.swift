/// Records by id with bounds on their number, bytes and age; whoever was not used for longest goes first.
///
/// Every operation takes constant time on average, however many records there are.
struct ResponseShelf: Sendable {
    private struct Entry {
        var record: [UInt8]
        let createdSeconds: Int
        /// The place in the order of use.
        var use: Int
    }

    private let limits: ResponseLimits
    private var entries: [String: Entry] = [:]
    /// Ids in the order of their uses; an id that was used again or is gone stays here, and is skipped.
    private var uses: [(use: Int, id: String)] = []
    private var firstUse = 0
    private var lastUse = 0
    /// Of all records and ids.
    private(set) var byteCount = 0

    init(limits: ResponseLimits) { self.limits = limits }

    var count: Int { entries.count }

    mutating func put(_ record: [UInt8], id: String, nowSeconds: Int) {
        delete(id)
        guard Self.size(record, id) <= limits.maxByteCount, limits.maxCount > 0 else { return }
        while let oldest = longestUnused,
            entries.count >= limits.maxCount || byteCount + Self.size(record, id) > limits.maxByteCount
                || isStale(oldest.entry, nowSeconds)
        {
            delete(oldest.id)
        }
        byteCount += Self.size(record, id)
        entries[id] = Entry(record: record, createdSeconds: nowSeconds, use: 0)
        touch(id)
    }

    mutating func record(_ id: String, nowSeconds: Int) -> [UInt8]? {
        guard let entry = entries[id] else { return nil }
        guard !isStale(entry, nowSeconds) else {
            delete(id)
            return nil
        }
        touch(id)
        return entry.record
    }

    @discardableResult
    mutating func delete(_ id: String) -> Bool {
        guard let entry = entries.removeValue(forKey: id) else { return false }
        byteCount -= Self.size(entry.record, id)
        return true
    }

    private static func size(_ record: [UInt8], _ id: String) -> Int { record.count + id.utf8.count }

    private mutating func touch(_ id: String) {
        lastUse += 1
        entries[id]?.use = lastUse
        uses.append((lastUse, id))
        // Keep the order no longer than a few times the entries.
        guard uses.count > 2 * entries.count + 64 else { return }
        uses = uses[firstUse...].filter { entries[$0.id]?.use == $0.use }
        firstUse = 0
    }

    private var longestUnused: (id: String, entry: Entry)? {
        mutating get {
            while firstUse < uses.count {
                let (use, id) = uses[firstUse]
                if let entry = entries[id], entry.use == use { return (id, entry) }
                firstUse += 1
            }
            return nil
        }
    }

    private func isStale(_ entry: Entry, _ nowSeconds: Int) -> Bool {
        nowSeconds - entry.createdSeconds > limits.maxAgeSeconds
    }
}
