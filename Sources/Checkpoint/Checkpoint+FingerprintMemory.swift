import Foundation
import Host

extension Checkpoint {
    /// The fingerprint, computed once: while the files' identities (device, inode, size, modification time) are the same,
    /// later calls read it from a small file. Thousands of samples all over a large checkpoint take long to come from a
    /// disk.
    ///
    /// - Parameter directory: of the cache; nil remembers nothing. One that cannot be written does no harm.
    /// - Throws: `CheckpointError` when a file of the checkpoint cannot be read.
    public func fingerprint(rememberedIn directory: String?) throws(CheckpointError) -> String {
        guard let directory, let key = identity() else { return try fingerprint() }
        let folder = directory + "/fingerprints"
        let path = folder + "/" + key
        if let text = try? String(contentsOfFile: path, encoding: .utf8) {
            let fingerprint = String(text.prefix(key.utf8.count))
            // Anything else than what was written is no answer.
            if text == Self.memory(of: fingerprint, key: key) { return fingerprint }
        }
        let fingerprint = try fingerprint()
        if (try? Folder.make(folder)) != nil {
            // Beside, then renamed: whole or not there.
            try? Data(Self.memory(of: fingerprint, key: key).utf8).write(
                to: URL(fileURLWithPath: path), options: .atomic)
        }
        return fingerprint
    }

    private static func memory(of fingerprint: String, key: String) -> String {
        var hash = ContentHash()
        hash.update("phalanx fingerprint memory 1")
        hash.update(key)
        hash.update(fingerprint)
        return "\(fingerprint) \(hash.hexadecimal())\n"
    }

    /// A name for the state of all files that the fingerprint depends on; nil when one cannot be examined.
    func identity() -> String? {
        var identities: [FileIdentity?] = []
        switch source {
        case .gguf(let tensors): identities = tensors.files.map(\.file.identity)
        case .huggingFace(let tensors, let directory):
            identities = tensors.files.map(\.file.identity)
            for name in Self.describingFiles {
                let path = directory.appendingPathComponent(name).path
                guard FileManager.default.fileExists(atPath: path) else { continue }
                // Downloads keep files elsewhere and link to them.
                identities.append(FileIdentity(of: URL(fileURLWithPath: path).resolvingSymlinksInPath().path))
            }
        }
        var hash = ContentHash()
        hash.update("phalanx file identities 1")
        hash.update(path)
        for identity in identities {
            guard let identity else { return nil }
            hash.update(identity.key)
        }
        return hash.hexadecimal()
    }
}
