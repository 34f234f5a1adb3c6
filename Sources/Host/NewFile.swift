import CHost
import Foundation
import Glibc
import Synchronization

/// A file of known size that appears under its name when it is complete, and otherwise not at all.
///
/// Where the file system can do it, the file has no name until then, so that nothing is left behind even by a process
/// that is killed; elsewhere it has a temporary name in the same folder, which every end but such a death removes.
/// Its room on the disk is reserved at once: a disk that is too small is found out before anything is computed.
public final class NewFile: Sendable {
    /// Where the file will appear.
    public let path: String
    /// Its size in bytes.
    public let byteCount: Int

    private enum State {
        case open, committed, discarded
    }

    private let descriptor: Int32
    private let replacesExisting: Bool
    /// The name it has meanwhile; nil for a file without one.
    private let temporaryPath: String?
    private let state = Mutex(State.open)

    /// Reserves a file of `byteCount` bytes, all zero.
    ///
    /// - Parameter replacesExisting: whether a file of that name is replaced when this one is complete.
    /// - Throws: `HostError`: `fileExists`, `noSpace`, or what the system says about the folder.
    public convenience init(path: String, byteCount: Int, replacesExisting: Bool = false) throws(HostError) {
        // Without /proc an unnamed file could not get its name later.
        let mayBeUnnamed = FileManager.default.fileExists(atPath: "/proc/self/fd")
        try self.init(
            path: path, byteCount: byteCount, replacesExisting: replacesExisting, mayBeUnnamed: mayBeUnnamed)
    }

    /// - Parameter mayBeUnnamed: whether the file may do without a name until it is complete.
    init(path: String, byteCount: Int, replacesExisting: Bool, mayBeUnnamed: Bool) throws(HostError) {
        self.path = path
        self.byteCount = byteCount
        self.replacesExisting = replacesExisting
        try Self.check(path, replacesExisting: replacesExisting)
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        try Self.checkRoom(in: folder, byteCount: byteCount, path: path)
        let unnamed = mayBeUnnamed ? unsafe chost_open_unnamed(folder) : -EOPNOTSUPP
        if unnamed >= 0 {
            descriptor = unnamed
            temporaryPath = nil
        } else {
            let name = Self.temporaryName(beside: path)
            descriptor = unsafe open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            guard descriptor >= 0 else { throw Self.refusal(path, action: "create", errno) }
            temporaryPath = name
        }
        // Every property is set from here on, so `deinit` removes the file when this throws.
        let error = chost_reserve(descriptor, 0, Int64(byteCount))
        guard error == 0 else { throw Self.refusal(path, action: "reserve \(byteCount) bytes for", error) }
    }

    deinit { discard() }

    /// Writes bytes at an offset. May be called from several threads at once, for parts that do not overlap.
    ///
    /// - Throws: `HostError` when the system refuses.
    public func write(_ bytes: RawSpan, at offset: Int) throws(HostError) {
        precondition(offset >= 0 && bytes.byteCount <= byteCount - offset, "bytes beyond the end of a new file")
        var done = 0
        while done < bytes.byteCount {
            // The span's bytes are only read, during the call.
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe pwrite(
                    descriptor, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done,
                    off_t(offset + done))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw Self.refusal(path, action: "write", errno)
            }
            done += count
        }
    }

    /// Waits until the content is on the disk, then gives the file its name.
    ///
    /// - Throws: `HostError`; the file is gone then.
    public func commit() throws(HostError) {
        precondition(state.withLock { $0 } == .open, "a new file is committed once")
        do throws(HostError) {
            guard fsync(descriptor) == 0 else { throw Self.refusal(path, action: "write", errno) }
            try name()
        } catch {
            discard()
            throw error
        }
        state.withLock { $0 = .committed }
        close(descriptor)
        // The folder's entry, too; a system that does not offer this keeps the entry in its own time.
        let folder = unsafe open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    /// Gives the file up; nothing remains of it. Does nothing after `commit`.
    public func discard() {
        let wasOpen = state.withLock { state in
            defer { if state == .open { state = .discarded } }
            return state == .open
        }
        guard wasOpen, descriptor >= 0 else { return }
        if let temporaryPath { unsafe unlink(temporaryPath) }
        close(descriptor)
    }

    private func name() throws(HostError) {
        if let temporaryPath {
            if replacesExisting {
                guard unsafe rename(temporaryPath, path) == 0 else {
                    throw Self.refusal(path, action: "name", errno)
                }
            } else {
                try Self.move(temporaryPath, to: path)
            }
            return
        }
        var error = unsafe chost_name_unnamed(descriptor, path)
        if error == EEXIST, replacesExisting {
            let name = Self.temporaryName(beside: path)
            error = unsafe chost_name_unnamed(descriptor, name)
            if error == 0, unsafe rename(name, path) != 0 {
                error = errno
                unsafe unlink(name)
            }
        }
        guard error == 0 else { throw Self.refusal(path, action: "name", error) }
    }

    /// Renames a file unless there is one of the new name.
    private static func move(_ temporaryPath: String, to path: String) throws(HostError) {
        // A link refuses to replace a file that has appeared meanwhile; a rename would not.
        if unsafe link(temporaryPath, path) == 0 {
            unsafe unlink(temporaryPath)
            return
        }
        let error = errno
        // Some file systems have no links; there a look beforehand has to do.
        guard [EPERM, EOPNOTSUPP, ENOSYS, EMLINK].contains(error) else {
            throw refusal(path, action: "name", error)
        }
        try check(path, replacesExisting: false)
        guard unsafe rename(temporaryPath, path) == 0 else { throw refusal(path, action: "name", errno) }
    }

    private static func check(_ path: String, replacesExisting: Bool) throws(HostError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw HostError(code: .notARegularFile, message: "\(path): is no ordinary file; name another output")
        }
        if !replacesExisting { throw refusal(path, action: "create", EEXIST) }
    }

    private static func checkRoom(in folder: String, byteCount: Int, path: String) throws(HostError) {
        let room: Int
        do throws(HostError) {
            room = try DiskSpace(at: folder).availableByteCount
        } catch {
            guard error.code == .fileNotFound else { throw error }
            throw refusal(path, action: "create", ENOENT)
        }
        guard room >= byteCount else {
            throw HostError(
                code: .noSpace,
                message: "\(path): needs \(byteCount) bytes, but its disk has room for only \(room); free some room or "
                    + "write to another disk")
        }
    }

    private static func temporaryName(beside path: String) -> String {
        let url = URL(fileURLWithPath: path)
        let name = ".\(url.lastPathComponent).\(UUID().uuidString.prefix(8)).partial"
        return url.deletingLastPathComponent().appendingPathComponent(name).path
    }

    private static func refusal(_ path: String, action: String, _ number: Int32) -> HostError {
        switch number {
        case EEXIST:
            HostError(
                code: .fileExists, message: "\(path): exists already; choose another name, or replace it (--force)")
        case ENOSPC, EDQUOT, EFBIG:
            HostError(
                code: .noSpace,
                message:
                    "\(path): cannot \(action): \(HostError.reason(number)); free some room or write to another disk")
        case EACCES, EPERM, EROFS:
            HostError(
                code: .permissionDenied,
                message:
                    "\(path): cannot \(action): \(HostError.reason(number)); choose a folder that may be written to")
        case ENOENT, ENOTDIR:
            HostError(code: .fileNotFound, message: "\(path): no such folder; create it first")
        default:
            HostError(code: .system, message: "\(path): cannot \(action): \(HostError.reason(number))")
        }
    }
}
