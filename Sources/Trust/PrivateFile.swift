internal import Foundation
internal import Glibc

/// Files that only their owner may read: written whole or not at all, and read only if nobody else can.
enum PrivateFile {
    private static let maxByteCount = 1 << 20

    /// - Parameter replaces: whether a file of that name is replaced; otherwise it is an error.
    /// - Throws: `TrustError` (`directory`).
    static func write(_ text: String, to path: String, replaces: Bool) throws(TrustError) {
        let temporary = "\(path).\(UUID().uuidString).new"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("write", path) }
        defer { unsafe unlink(temporary) }
        var isWritten = true
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty, isWritten {
            // Sound because the bytes are only read, during the call.
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else { isWritten = count < 0 && errno == EINTR }
        }
        isWritten = isWritten && fsync(descriptor) == 0
        let problem = errno
        close(descriptor)
        guard isWritten else { throw failure("write", path, problem) }
        // A link refuses to replace a file; a rename does not.
        let named = unsafe replaces ? rename(temporary, path) : link(temporary, path)
        guard named == 0 else { throw failure("write", path) }
    }

    /// The text of a file; nil when there is none.
    ///
    /// - Throws: `TrustError` (`directory`) when others may read it, or it cannot be read.
    static func read(_ path: String) throws(TrustError) -> String? {
        guard let file = FileHandle(forReadingAtPath: path) else {
            guard FileManager.default.fileExists(atPath: path) else { return nil }
            throw TrustError(.directory, "cannot read \(path): it belongs to another user")
        }
        // The file itself, where the path is a link to it.
        let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let attributes = (try? FileManager.default.attributesOfItem(atPath: resolved)) ?? [:]
        guard attributes[.type] as? FileAttributeType == .typeRegular,
            let mode = attributes[.posixPermissions] as? Int
        else { throw TrustError(.directory, "\(path) is not a file that Phalanx has written") }
        guard mode & 0o077 == 0 else {
            throw TrustError(.directory, "\(path) can be read by others: make it private with chmod 600 \(path)")
        }
        guard let bytes = try? file.read(upToCount: maxByteCount) ?? Data() else {
            throw TrustError(.directory, "cannot read \(path)")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Makes a folder, and those above it, that only the owner may enter.
    static func makeFolder(_ path: String) throws(TrustError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw TrustError(.directory, "the folder \(path) cannot be made: \(error.localizedDescription)")
        }
    }

    private static func failure(_ action: String, _ path: String, _ number: Int32 = errno) -> TrustError {
        if number == EEXIST { return TrustError(.directory, "\(path) exists already and is not replaced") }
        let reason = unsafe String(cString: strerror(number))
        return TrustError(.directory, "cannot \(action) \(path): \(reason)")
    }
}
