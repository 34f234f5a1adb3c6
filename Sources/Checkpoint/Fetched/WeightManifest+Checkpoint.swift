import Foundation
import Host

extension Checkpoint {
    /// The manifest of this checkpoint, encoded. Hashes all weights, unless that was done before: while the files'
    /// identities (device, inode, size, modification time) are the same, later calls read it from a file.
    ///
    /// - Parameters:
    ///   - fingerprint: of this checkpoint.
    ///   - directory: of the cache; nil remembers nothing. One that cannot be written does no harm.
    ///   - progress: called with the bytes that are hashed and all; throwing from it stops the hashing.
    /// - Throws: `CheckpointError` when a file cannot be read, and what `progress` throws.
    public func weightManifest(
        fingerprint: String, rememberedIn directory: String?,
        progress: (_ doneByteCount: Int, _ totalByteCount: Int) throws -> Void = { _, _ in }
    ) throws -> [UInt8] {
        guard let directory, let key = identity() else { return try makeManifest(fingerprint, progress).encoded() }
        let folder = directory + "/manifests"
        let path = folder + "/" + key
        let mark = { (manifest: ArraySlice<UInt8>) in
            var hash = ContentHash()
            hash.update("phalanx manifest memory 1")
            hash.update(key)
            hash.update(manifest)
            return Array(hash.hexadecimal().utf8)
        }
        if let data = try? Data(contentsOf: URL(fileURLWithPath: path)) {
            let bytes = Array(data)
            // Anything else than what was written is no answer.
            if bytes.count > 64, Array(bytes.prefix(64)) == mark(bytes[64...]),
                (try? WeightManifest(encoded: Array(bytes[64...]), fingerprint: fingerprint)) != nil
            {
                return Array(bytes[64...])
            }
        }
        let encoded = try makeManifest(fingerprint, progress).encoded()
        if (try? Folder.make(folder)) != nil {
            // Beside, then renamed: whole or not there.
            try? Data(mark(encoded[...]) + encoded).write(to: URL(fileURLWithPath: path), options: .atomic)
        }
        return encoded
    }

    /// The paths of the checkpoint's files, in the order of the manifest.
    var filePaths: [String] {
        switch source {
        case .gguf(let tensors): return tensors.files.map(\.path)
        case .huggingFace(let tensors, let directory):
            let others = (Self.describingFiles + ["model.safetensors.index.json"])
                .map { directory.appendingPathComponent($0).path }
                .filter { FileManager.default.fileExists(atPath: $0) }
            return (tensors.files.map(\.file.path) + others).sorted()
        }
    }

    private func makeManifest(
        _ fingerprint: String, _ progress: (Int, Int) throws -> Void
    ) throws -> WeightManifest {
        var description: [String: [Range<Int>]] = [:]
        var weights: [String: [Range<Int>]] = [:]
        switch source {
        case .gguf(let tensors):
            for file in tensors.files { description[file.path] = [file.headerRange] }
        case .huggingFace(let tensors, _):
            for file in tensors.files { description[file.file.path] = [0..<file.headerRange.upperBound] }
        }
        for view in self.tensors {
            for slice in view.slices {
                switch view.role {
                case .ropeFactorsLong, .ropeFactorsShort:
                    description[slice.file.path, default: []].append(slice.range)
                default: weights[slice.file.path, default: []].append(slice.range)
                }
            }
        }
        let files = try filePaths.map { try MappedFile(path: $0) }
        var parts: [(file: Int, range: Range<Int>, isDescription: Bool)] = []
        for (index, file) in files.enumerated() {
            let isOther = description[file.path] == nil
            let described = isOther ? [0..<file.byteCount] : description[file.path, default: []]
            let ranges = described.map { ($0, true) } + weights[file.path, default: []].map { ($0, false) }
            for (range, isDescription) in ranges.sorted(by: { $0.0.lowerBound < $1.0.lowerBound }) {
                for start in stride(from: range.lowerBound, to: range.upperBound, by: WeightManifest.pieceByteLimit) {
                    let end = min(range.upperBound, start + WeightManifest.pieceByteLimit)
                    parts.append((index, start..<end, isDescription))
                }
            }
        }
        let total = parts.reduce(0) { $0 + $1.range.count }
        var done = 0
        var pieces: [WeightManifest.Piece] = []
        for part in parts {
            try progress(done, total)
            var hash = ContentHash()
            try files[part.file].withBytes(in: part.range) { hash.update($0) }
            files[part.file].adviseDontNeed(part.range)
            pieces.append(
                WeightManifest.Piece(
                    file: part.file, offset: part.range.lowerBound, byteCount: part.range.count,
                    hash: hash.hexadecimal(), isDescription: part.isDescription))
            done += part.range.count
        }
        // Hashes of a file that somebody was rewriting would be of neither state.
        for file in files { try file.checkUnchanged() }
        try progress(done, total)
        return WeightManifest(
            fingerprint: fingerprint, format: format,
            files: files.map {
                WeightManifest.File(name: URL(fileURLWithPath: $0.path).lastPathComponent, byteCount: $0.byteCount)
            }, pieces: pieces)
    }
}
