import Foundation
import Host

/// The small files beside the weights: bounded before they are read.
enum TextFile {
    /// Most bytes of a configuration file.
    static let configurationLimit = 16 << 20
    /// Most bytes of a tokenizer file.
    static let tokenizerLimit = 256 << 20

    /// The content of the file at `path`; nil when there is none.
    ///
    /// - Throws: `CheckpointError` when it is larger than `limit` or cannot be read.
    static func data(_ path: String, limit: Int) throws(CheckpointError) -> Data? {
        do {
            let file = try MappedFile(path: path)
            guard file.byteCount <= limit else {
                throw CheckpointError.malformed(path, "has \(file.byteCount) bytes, more than the \(limit) allowed")
            }
            return try file.withBytes { span in unsafe span.withUnsafeBytes { unsafe Data($0) } }
        } catch let error as HostError {
            if error.code == .fileNotFound { return nil }
            throw CheckpointError(error, path: path)
        } catch let error as CheckpointError {
            throw error
        } catch {
            throw CheckpointError(code: .unreadable, path: path, message: "\(error)")
        }
    }

    /// The JSON document at `path`; nil when there is none.
    ///
    /// - Throws: `CheckpointError` when it is too large or no JSON.
    static func json(_ path: String) throws(CheckpointError) -> JSONValue? {
        try json(path, as: JSONValue.self, limit: configurationLimit)
    }

    /// The JSON document at `path` decoded as `type`; nil when there is none.
    ///
    /// - Throws: `CheckpointError` when it is too large or does not have the form of `type`.
    static func json<Value: Decodable>(
        _ path: String, as type: Value.Type, limit: Int
    ) throws(CheckpointError) -> Value? {
        guard let data = try data(path, limit: limit) else { return nil }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw .malformed(path, "is not the JSON that belongs here (\(brief(error))); fetch it again")
        }
    }

    /// The text at `path`, with broken UTF-8 replaced; nil when there is none.
    static func text(_ path: String, limit: Int) throws(CheckpointError) -> String? {
        try data(path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }
}
