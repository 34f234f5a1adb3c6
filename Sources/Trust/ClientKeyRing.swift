public import Foundation

/// The API keys of a folder, read anew whenever it changes.
public struct ClientKeyRing: Sendable {
    private let directory: ClientKeyDirectory
    private var keys: [ClientKey] = []
    /// Whether there was a file for any key, readable or not.
    private var hasFiles = false
    private var stamp: FolderStamp?

    /// A folder may change again without another time stamp within this many seconds.
    private static let stampGranularity = 0.1

    public init(_ directory: ClientKeyDirectory) { self.directory = directory }

    /// Looks whether keys have come or gone.
    ///
    /// - Returns: what is wrong with keys that cannot be read (they are not good then), when this was looked at anew.
    /// - Throws: `TrustError` (`directory`) when the folder cannot be looked into: then nobody can be let in.
    public mutating func refresh() throws(TrustError) -> [TrustError] {
        guard let now = try FolderStamp(directory.path) else {
            (keys, hasFiles, stamp) = ([], false, nil)
            return []
        }
        guard now != stamp || Date().timeIntervalSince(now.change) < Self.stampGranularity else { return [] }
        let found = directory.keys()
        keys = found.keys
        hasFiles = !found.keys.isEmpty || !found.problems.isEmpty
        stamp = now
        return found.problems
    }

    /// Whether clients need a key.
    public var isRequired: Bool { hasFiles }

    /// The hashes of all keys.
    public var hashes: Set<[UInt8]> { Set(keys.map(\.hash)) }

    /// The good key of a hash. What the time tells does not depend on the key.
    public func key(hash: [UInt8], at date: Date) -> ClientKey? {
        var match: ClientKey?
        for key in keys where Self.isEqual(key.hash, hash) { match = key }
        return match?.state(at: date) == .valid ? match : nil
    }

    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0 as UInt8) { $0 | $1.0 ^ $1.1 } == 0
    }
}
