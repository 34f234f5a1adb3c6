import Glibc

/// A lock (`flock`) on a folder, held as long as this object lives: many may share it, or one may have it alone.
///
/// It ends with the process, however that ends.
public final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Locks the folder at `path`; nil when there is none, or it is held otherwise and `waits` is false, or the file
    /// system has no locks.
    public init?(_ path: String, shared: Bool, waits: Bool) {
        descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        let operation = (shared ? LOCK_SH : LOCK_EX) | (waits ? 0 : LOCK_NB)
        while flock(descriptor, operation) != 0 {
            guard errno == EINTR else { return nil }
        }
        // Another may have been put in its place while we waited.
        var locked = stat()
        var named = stat()
        guard unsafe fstat(descriptor, &locked) == 0, unsafe stat(path, &named) == 0,
            locked.st_dev == named.st_dev, locked.st_ino == named.st_ino
        else { return nil }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Brings names that were changed in the folder to the disk. Not a failure where that is impossible.
    public func synchronize() { fsync(descriptor) }
}
