import Glibc
import Host

extension PackedCache {
    /// A file below the cache's root.
    private struct Entry {
        let folder: String
        let name: String
        let byteCount: Int
        /// Nanoseconds since 1970: files are touched when they are read.
        let lastUse: Int64

        var path: String { folder + "/" + name }
        var isTemporary: Bool { name.hasPrefix(PackedCache.temporaryPrefix) }
    }

    /// Names of files that are being written begin with this.
    static let temporaryPrefix = ".writing-"

    /// Makes a file of a given size in a model's folder, to be written and renamed, after making room for it.
    ///
    /// What was used longest ago goes first; a model that a running process has loaded stays.
    ///
    /// - Throws: `HostError`, of code `noSpace` when neither the limit nor the disk have room for it.
    func makeFile(in folder: String, byteCount: Int) throws -> DataFile {
        // One process at a time, so that the sizes that are counted include what others are about to write.
        guard let lock = DirectoryLock(root, shared: false, waits: true) else {
            throw HostError(code: .system, message: "\(root): cannot be locked; choose a local --cache-dir")
        }
        return try withExtendedLifetime(lock) {
            try makeRoom(for: byteCount)
            let name = "\(Self.temporaryPrefix)\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
            let file = try DataFile(creating: "\(folder)/\(name)")
            do {
                // The lock tells others that the file has a living writer.
                _ = file.tryLock()
                try file.reserve(byteCount: byteCount)
            } catch {
                file.remove()
                throw error
            }
            return file
        }
    }

    private func makeRoom(for byteCount: Int) throws {
        var entries = entries()
        entries.removeAll { $0.isTemporary && removeIfAbandoned($0) }
        let space = try space()
        let overLimit = entries.reduce(byteCount) { $0 + $1.byteCount } - settings.byteLimit
        let missing = max(overLimit, byteCount + spareByteCount(of: space) - space.availableByteCount)
        guard missing > 0 else { return }

        // Locked alone, so that no process has loaded from there or begins to.
        var idle: [String: DirectoryLock] = [:]
        for folder in Set(entries.map(\.folder)) {
            idle[folder] = DirectoryLock(folder, shared: false, waits: false)
        }
        let candidates = entries.filter { idle[$0.folder] != nil && !$0.isTemporary }
        guard candidates.reduce(0, { $0 + $1.byteCount }) >= missing else {
            throw HostError(code: .noSpace, message: noRoom(overLimit: overLimit > 0, space))
        }
        var freed = 0
        for entry in candidates.sorted(by: { $0.lastUse < $1.lastUse }) where freed < missing {
            if Folder.removeFile(entry.path) { freed += entry.byteCount }
        }
        // Fails where something is left, as it should.
        for folder in idle.keys { Folder.removeIfEmpty(folder) }
    }

    private func noRoom(overLimit: Bool, _ space: DiskSpace) -> String {
        overLimit
            ? "the cache in \(settings.directory) may take \(settings.byteLimit) bytes, and what running processes use "
                + "leaves too little of them; raise --cache-limit"
            : "\(settings.directory) has \(space.availableByteCount) bytes free, of which "
                + "\(spareByteCount(of: space)) are left alone; make room or choose another --cache-dir"
    }

    private func entries() -> [Entry] {
        Folder.names(in: root).flatMap { model -> [Entry] in
            let folder = root + "/" + model
            return Folder.names(in: folder).compactMap { name in
                guard name.hasSuffix(PackedPart.fileSuffix) || name.hasPrefix(Self.temporaryPrefix),
                    let identity = FileIdentity(of: folder + "/" + name)
                else { return nil }
                return Entry(
                    folder: folder, name: name, byteCount: identity.byteCount,
                    lastUse: identity.modificationNanoseconds)
            }
        }
    }

    /// Removes a file whose writer died before it was done.
    private func removeIfAbandoned(_ entry: Entry) -> Bool {
        guard let file = try? DataFile(reading: entry.path), file.tryLock() else { return false }
        return Folder.removeFile(entry.path)
    }
}
