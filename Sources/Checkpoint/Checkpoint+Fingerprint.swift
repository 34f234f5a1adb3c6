import Foundation
import Host

extension Checkpoint {
    /// A name for the content, in 64 hexadecimal digits: nodes that agree on it load the same model.
    ///
    /// It is the SHA-256 of the configuration, of the metadata and tokenizer files, and of each tensor's role, type,
    /// shape and a sample of its bytes: all of a tensor up to 64 KiB, else the first and last 4 KiB and 64 pieces of 64
    /// bytes evenly between. It tells apart different models, versions and quantisations, and most damaged files, at
    /// the cost of a few thousand page reads; a change confined to weights between the samples goes unnoticed. Names
    /// and places of files do not count.
    ///
    /// - Throws: `CheckpointError` when a file cannot be read.
    public func fingerprint() throws(CheckpointError) -> String {
        var hash = ContentHash()
        hash.update("phalanx checkpoint 1")
        try hashDescription(into: &hash)
        do {
            for view in tensors {
                hash.update("\(view.role)")
                for slice in view.slices {
                    hash.update("\(slice.type.name) \(slice.rows) \(slice.columns)")
                    try slice.withBytes { hash.update(sampling: $0) }
                    // A sample brings its neighbours into memory.
                    slice.file.adviseDontNeed(slice.range)
                }
            }
        } catch {
            throw CheckpointError(code: .unreadable, path: path, message: "\(error)")
        }
        return hash.hexadecimal()
    }

    private func hashDescription(into hash: inout ContentHash) throws(CheckpointError) {
        switch source {
        case .gguf(let tensors):
            for gguf in tensors.files {
                do {
                    try gguf.file.withBytes(in: gguf.headerRange) { hash.update($0) }
                } catch {
                    throw CheckpointError(code: .unreadable, path: gguf.file.path, message: "\(error)")
                }
            }
        case .huggingFace(_, let directory):
            for name in Self.describingFiles {
                hash.update(name)
                let path = directory.appendingPathComponent(name).path
                if let data = try TextFile.data(path, limit: TextFile.tokenizerLimit) { hash.update(data) }
            }
        }
    }

    /// The files beside the weights that change what the model answers.
    static let describingFiles = [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
        "added_tokens.json", "special_tokens_map.json", "chat_template.jinja",
    ]
}

extension ContentHash {
    fileprivate mutating func update(sampling span: RawSpan) {
        let count = span.byteCount
        guard count > 64 << 10 else {
            update(span)
            return
        }
        update(span.extracting(0..<4096))
        for piece in 1...64 {
            // count / 65 is at least 1008, so pieces lie apart and inside.
            let start = count / 65 * piece
            update(span.extracting(start..<(start + 64)))
        }
        update(span.extracting((count - 4096)..<count))
    }
}
