/// Which pair of tokens becomes which token, and how early.
///
/// Open addressing; the hash is keyed per process against collisions made on purpose, results do not depend on it.
struct MergeTable: Sendable {
    /// What a pair becomes; a lower rank goes first.
    struct Entry: Sendable {
        let rank: UInt32
        let merged: Int32
    }

    private var keys: [UInt64]
    private var entries: [Entry]
    private let mask: Int
    private let seed: UInt64

    private static let vacant = UInt64.max

    init(capacity count: Int) {
        var capacity = 16
        while capacity < count * 2 { capacity *= 2 }
        keys = [UInt64](repeating: Self.vacant, count: capacity)
        entries = [Entry](repeating: Entry(rank: 0, merged: 0), count: capacity)
        mask = capacity - 1
        seed = UInt64.random(in: 0...UInt64.max)
    }

    /// Adds a pair; of two equal pairs the first counts. At most the promised number may be added.
    mutating func insert(_ left: Int32, _ right: Int32, _ entry: Entry) {
        let key = Self.key(left, right)
        var slot = hash(key) & mask
        while keys[slot] != Self.vacant {
            if keys[slot] == key { return }
            slot = (slot + 1) & mask
        }
        keys[slot] = key
        entries[slot] = entry
    }

    /// What the pair becomes, or nil.
    func entry(_ left: Int32, _ right: Int32) -> Entry? {
        let key = Self.key(left, right)
        var slot = hash(key) & mask
        while true {
            let found = keys[slot]
            if found == key { return entries[slot] }
            if found == Self.vacant { return nil }
            slot = (slot + 1) & mask
        }
    }

    /// Ids are not negative, so no key is the vacant one.
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func hash(_ key: UInt64) -> Int {
        var value = key ^ seed
        value = (value ^ value >> 33) &* 0xFF51_AFD7_ED55_8CCD
        value = (value ^ value >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return Int(truncatingIfNeeded: (value ^ value >> 33) & 0x7FFF_FFFF_FFFF_FFFF)
    }
}
