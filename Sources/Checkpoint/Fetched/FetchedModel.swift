import Foundation
public import Host
import Synchronization

/// A checkpoint of which another node has the files: those of its pieces that were fetched, in the cache.
///
/// Below `DIRECTORY/fetched/HASH-OF-THE-MANIFEST/`: `files/` has the checkpoint's files in their own layout, with holes where
/// nothing was fetched, and `present` has a byte for each piece of the manifest. Only pieces with the right hash are written,
/// so several processes may fetch at once: they write the same. What is here survives a cut or a crash.
///
/// The folder is safe from being cleared away as long as this object lives.
public final class FetchedModel: Sendable, WeightFiles {
    public let manifest: WeightManifest
    private let cache: PackedCache
    private let folder: String
    private let lock: DirectoryLock
    private let files: [DataFile]
    private let fileIndexes: [String: Int]
    private let journal: DataFile
    /// Pieces known to be right in this process: those that it checked, or that are on the disk.
    private let known: Mutex<Set<Int>>
    /// Pieces that may not be on the disk yet.
    private let unsynchronized = Mutex<Set<Int>>([])

    /// What `present` says of a piece.
    private enum Mark {
        static let absent: UInt8 = 0
        /// Written, but perhaps not on the disk: to be checked again by the next process.
        static let written: UInt8 = 1
        static let synchronized: UInt8 = 2
    }

    static let journalName = "present"
    static let filesName = "files"

    /// Opens or makes the folder in the cache.
    ///
    /// - Throws: `HostError` when the cache cannot be written.
    init(cache: PackedCache, manifest: WeightManifest, hash: String) throws(HostError) {
        self.cache = cache
        self.manifest = manifest
        folder = "\(cache.fetchedRoot)/\(hash)"
        let filesFolder = "\(folder)/\(Self.filesName)"
        var lock: DirectoryLock?
        // Another process may clear the folder away between the two steps.
        for _ in 0..<10 where lock == nil {
            try Folder.make(folder)
            lock = DirectoryLock(folder, shared: true, waits: true)
        }
        guard let lock else {
            throw HostError(code: .system, message: "\(folder): cannot be locked; choose a local --cache-dir")
        }
        self.lock = lock
        try Folder.make(filesFolder)
        var files: [DataFile] = []
        for file in manifest.files {
            files.append(try Self.open("\(filesFolder)/\(file.name)", byteCount: file.byteCount))
        }
        self.files = files
        fileIndexes = Dictionary(uniqueKeysWithValues: manifest.files.enumerated().map { ($1.name, $0) })
        // After the files: what it says is there was there before.
        journal = try Self.open("\(folder)/\(Self.journalName)", byteCount: manifest.pieces.count)
        journal.touch()
        let marks = try journal.bytes(in: 0..<manifest.pieces.count)
        known = Mutex(Set(marks.indices.filter { marks[$0] == Mark.synchronized }))
    }

    private static func open(_ path: String, byteCount: Int) throws(HostError) -> DataFile {
        // Another process may make the file between the two steps.
        for _ in 0..<10 {
            var file: DataFile?
            do throws(HostError) {
                file = try DataFile(reading: path)
            } catch {
                guard error.code == .fileNotFound else { throw error }
            }
            if file == nil {
                do throws(HostError) {
                    file = try DataFile(creating: path)
                } catch {
                    guard error.code == .fileExists || FileIdentity(of: path) != nil else { throw error }
                }
            }
            guard let file else { continue }
            try file.resize(byteCount: byteCount)
            return file
        }
        throw HostError(code: .system, message: "\(path): comes and goes; choose another --cache-dir")
    }

    // MARK: Pieces

    /// Those of the pieces that are not here. Pieces that an earlier process wrote and may have lost in a crash of the
    /// machine are read and checked.
    ///
    /// - Parameter willCheck: called before a piece is read; throwing from it stops.
    /// - Throws: `HostError` when a file cannot be read, and what `willCheck` throws.
    public func missing(_ pieces: [Int], willCheck: () throws -> Void = {}) throws -> [Int] {
        try pieces.filter { index in
            if known.withLock({ $0.contains(index) }) { return false }
            guard try journal.bytes(in: index..<index + 1)[0] != Mark.absent else { return true }
            try willCheck()
            let piece = manifest.pieces[index]
            let bytes = try files[piece.file].bytes(in: piece.range)
            guard Self.hash(bytes) == piece.hash else { return true }
            remember(index)
            return false
        }
    }

    /// Promises room for pieces, so that a disk that is too small is found out before anything is fetched.
    ///
    /// - Throws: `HostError`, of code `noSpace` when neither the cache's limit nor the disk have room.
    public func reserve(_ pieces: [Int]) throws {
        let wanted = pieces.reduce(0) { $0 + manifest.pieces[$1].byteCount }
        // An earlier process may have reserved for some of them.
        try cache.makingRoom(for: max(0, presentByteCount + wanted - (try allocatedByteCount)), isNeeded: true) {
            for index in pieces {
                let piece = manifest.pieces[index]
                try files[piece.file].reserve(piece.range)
            }
        }
    }

    private var allocatedByteCount: Int {
        get throws(HostError) {
            var sum = 0
            for file in files { sum += try file.allocatedByteCount }
            return sum
        }
    }

    /// Bytes of the pieces that are here.
    private var presentByteCount: Int {
        known.withLock { $0.reduce(0) { $0 + manifest.pieces[$1].byteCount } }
    }

    /// Keeps a piece; false when the bytes are not the piece's.
    ///
    /// - Throws: `HostError` when they cannot be written.
    public func store(_ bytes: [UInt8], as index: Int) throws(HostError) -> Bool {
        let piece = manifest.pieces[index]
        guard bytes.count == piece.byteCount, Self.hash(bytes) == piece.hash else { return false }
        try files[piece.file].write(bytes, at: piece.offset)
        files[piece.file].startWriting(piece.range)
        try journal.write([Mark.written], at: index)
        remember(index)
        return true
    }

    private func remember(_ index: Int) {
        known.withLock { _ = $0.insert(index) }
        unsynchronized.withLock { _ = $0.insert(index) }
    }

    /// Returns when all pieces are on the disk, so that no later process need check them.
    public func synchronize() throws(HostError) {
        let pieces = unsynchronized.withLock { $0 }
        for file in Set(pieces.map { manifest.pieces[$0].file }) { try files[file].synchronize() }
        for index in pieces { try journal.write([Mark.synchronized], at: index) }
        unsynchronized.withLock { $0.subtract(pieces) }
    }

    private static func hash(_ bytes: [UInt8]) -> String {
        var hash = ContentHash()
        hash.update(bytes)
        return hash.hexadecimal()
    }

    // MARK: The checkpoint

    /// The pieces without which the checkpoint cannot be opened.
    public var descriptionPieces: [Int] { manifest.pieces.indices.filter { manifest.pieces[$0].isDescription } }

    /// Opens the checkpoint; the description must be here. Bytes that are not are never taken for weights: packing them
    /// throws `CheckpointError` (`notFetched`).
    public func open() throws(CheckpointError) -> Checkpoint {
        let path = "\(folder)/\(Self.filesName)"
        switch manifest.format {
        case .gguf: return try Checkpoint.open("\(path)/\(manifest.files[0].name)", fetched: self)
        case .huggingFace: return try Checkpoint.open(path, fetched: self)
        }
    }

    /// The pieces that a part of the checkpoint is packed from.
    ///
    /// - Throws: `CheckpointError` when the manifest lacks some.
    public func pieces(of plan: PackedPlan) throws(CheckpointError) -> [Int] {
        var indexes: [Int] = []
        for view in plan.views {
            for slice in view.slices {
                guard let pieces = pieces(of: slice) else {
                    throw .malformed("the manifest of the weights", "has no pieces of tensor \(quoted(slice.name))")
                }
                indexes += pieces
            }
        }
        return indexes
    }

    private func pieces(of slice: TensorSlice) -> Range<Int>? {
        fileIndexes[URL(fileURLWithPath: slice.file.path).lastPathComponent]
            .flatMap { manifest.pieces(file: $0, range: slice.range) }
    }

    /// Whether all bytes of a tensor are here and right.
    @Sendable func holds(_ slice: TensorSlice) -> Bool {
        guard let pieces = pieces(of: slice) else { return false }
        return known.withLock { known in pieces.allSatisfy { known.contains($0) } }
    }

    /// Names the bytes of a tensor, whether they are here or not; nil when the manifest does not have them.
    func contentName(of slice: TensorSlice) -> String? {
        pieces(of: slice).map { $0.map { manifest.pieces[$0].hash }.joined(separator: " ") }
    }

    // MARK: Others

    public func read(file: Int, fileByteCount: Int, range: Range<Int>) throws(HostError) -> [UInt8]? {
        guard manifest.files.indices.contains(file), manifest.files[file].byteCount == fileByteCount,
            known.withLock({ known in manifest.isCovered(file: file, range: range) { known.contains($0) } })
        else { return nil }
        return try files[file].bytes(in: range)
    }
}

extension WeightManifest {
    /// Whether every byte at `range` of a file lies in a piece that `isHere`.
    fileprivate func isCovered(file: Int, range: Range<Int>, isHere: (Int) -> Bool) -> Bool {
        var index = firstPiece(endingAfter: range.lowerBound, of: file)
        var offset = range.lowerBound
        while offset < range.upperBound {
            guard index < pieces.count, pieces[index].file == file, pieces[index].offset <= offset, isHere(index) else {
                return false
            }
            offset = pieces[index].range.upperBound
            index += 1
        }
        return true
    }
}

/// Files of a checkpoint that other nodes may be given bytes of.
public protocol WeightFiles: Sendable {
    /// Bytes of a file; nil when they are not here.
    ///
    /// - Parameters:
    ///   - file: its index in the manifest.
    ///   - fileByteCount: its size there.
    /// - Throws: `HostError` when the file cannot be read.
    func read(file: Int, fileByteCount: Int, range: Range<Int>) throws(HostError) -> [UInt8]?
}

/// The files of a checkpoint that lies whole on this machine.
public struct WholeWeightFiles: WeightFiles {
    private let paths: [String]

    public init(_ checkpoint: Checkpoint) { paths = checkpoint.filePaths }

    public func read(file: Int, fileByteCount: Int, range: Range<Int>) throws(HostError) -> [UInt8]? {
        guard paths.indices.contains(file) else { return nil }
        let file = try DataFile(reading: paths[file])
        guard try file.byteCount == fileByteCount, range.upperBound <= fileByteCount else { return nil }
        return try file.bytes(in: range)
    }
}
