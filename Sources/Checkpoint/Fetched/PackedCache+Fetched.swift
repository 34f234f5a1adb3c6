import Host

extension PackedCache {
    /// The folder of all that was fetched.
    var fetchedRoot: String { settings.directory + "/fetched" }

    /// What the cache holds of a checkpoint that lies on another node.
    ///
    /// - Parameters:
    ///   - encoded: its manifest, as that node sent it.
    ///   - fingerprint: of the checkpoint.
    /// - Throws: `CheckpointError` for a manifest that cannot be believed, `HostError` when the cache cannot be written.
    public func fetchedModel(manifest encoded: [UInt8], fingerprint: String) throws -> FetchedModel {
        let manifest = try WeightManifest(encoded: encoded, fingerprint: fingerprint)
        var hash = ContentHash()
        hash.update(encoded)
        return try FetchedModel(cache: self, manifest: manifest, hash: hash.hexadecimal())
    }
}

extension FetchedModel {
    /// What was fetched of the checkpoints in the cache: bytes on the disk and nanoseconds since 1970 of the last use.
    static func folders(in root: String) -> [(path: String, byteCount: Int, lastUse: Int64)] {
        Folder.names(in: root).map { name in
            let path = "\(root)/\(name)"
            let files = paths(in: path)
            let byteCount = files.reduce(0) { $0 + ((try? DataFile(reading: $1).allocatedByteCount) ?? 0) }
            let journal = FileIdentity(of: "\(path)/\(journalName)")
            return (path, byteCount, journal?.modificationNanoseconds ?? 0)
        }
    }

    /// Removes a folder that no process uses.
    static func remove(_ folder: String) {
        // The journal first: it must not say that something is here that is not.
        _ = Folder.removeFile("\(folder)/\(journalName)")
        for path in paths(in: folder) { _ = Folder.removeFile(path) }
        Folder.removeIfEmpty("\(folder)/\(filesName)")
    }

    private static func paths(in folder: String) -> [String] {
        Folder.names(in: "\(folder)/\(filesName)").map { "\(folder)/\(filesName)/\($0)" }
    }
}
