import Glibc
import Host

extension PackedCache {
    /// A file of packed weights, or all that was fetched of a checkpoint.
    private struct Entry {
        let folder: String
        /// Empty for the folder as a whole.
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
        try makingRoom(for: byteCount) {
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

    /// Makes room for some bytes and has `reserve` take it before another process counts again.
    ///
    /// - Parameter isNeeded: whether there is no way without them; then less of the disk is left alone.
    func makingRoom<Result>(
        for byteCount: @autoclosure () throws -> Int, isNeeded: Bool = false, _ reserve: () throws -> Result
    ) throws -> Result {
        try Folder.make(root)
        // One process at a time, so that the sizes that are counted include what others are about to write.
        guard let lock = DirectoryLock(root, shared: false, waits: true) else {
            throw HostError(code: .system, message: "\(root): cannot be locked; choose a local --cache-dir")
        }
        return try withExtendedLifetime(lock) {
            try makeRoom(for: try byteCount(), isNeeded: isNeeded)
            return try reserve()
        }
    }

    private func makeRoom(for byteCount: Int, isNeeded: Bool) throws {
        guard byteCount > 0 else { return }
        var entries =
            entries()
            + FetchedModel.folders(in: fetchedRoot).map { folder in
                Entry(folder: folder.path, name: "", byteCount: folder.byteCount, lastUse: folder.lastUse)
            }
        entries.removeAll { $0.isTemporary && removeIfAbandoned($0) }
        let space = try space()
        let overLimit = entries.reduce(byteCount) { $0 + $1.byteCount } - settings.byteLimit
        let spareByteCount = isNeeded ? Self.leastSpareByteCount : spareByteCount(of: space)
        let missing = max(overLimit, byteCount + spareByteCount - space.availableByteCount)
        guard missing > 0 else { return }

        // Locked alone, so that no process has loaded from there or begins to.
        var idle: [String: DirectoryLock] = [:]
        for folder in Set(entries.map(\.folder)) {
            idle[folder] = DirectoryLock(folder, shared: false, waits: false)
        }
        let candidates = entries.filter { idle[$0.folder] != nil && !$0.isTemporary }
        guard candidates.reduce(0, { $0 + $1.byteCount }) >= missing else {
            throw HostError(code: .noSpace, message: noRoom(overLimit: overLimit > 0, space, byteCount, spareByteCount))
        }
        var freed = 0
        for entry in candidates.sorted(by: { $0.lastUse < $1.lastUse }) where freed < missing {
            if entry.name.isEmpty {
                FetchedModel.remove(entry.folder)
                freed += entry.byteCount
            } else if Folder.removeFile(entry.path) {
                freed += entry.byteCount
            }
        }
        // Fails where something is left, as it should.
        for folder in idle.keys { Folder.removeIfEmpty(folder) }
    }

    private func noRoom(overLimit: Bool, _ space: DiskSpace, _ byteCount: Int, _ spareByteCount: Int) -> String {
        overLimit
            ? "the cache in \(settings.directory) may take \(settings.byteLimit) bytes, and what running processes use "
                + "leaves less than the \(byteCount) that are needed; raise --cache-limit"
            : "\(settings.directory) needs \(byteCount) bytes and has \(space.availableByteCount) free, of which "
                + "\(spareByteCount) are left alone; make room or choose another --cache-dir"
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
