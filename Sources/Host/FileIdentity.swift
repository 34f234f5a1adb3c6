import Glibc

/// Which file this is, and which state of it: what a remembered content hash may be keyed by.
public struct FileIdentity: Sendable, Hashable, Codable {
    /// The file system's device number.
    public let device: UInt64
    /// The inode number on that device.
    public let inode: UInt64
    /// Size in bytes.
    public let byteCount: Int
    /// Last modification, nanoseconds since 1970.
    public let modificationNanoseconds: Int64

    /// Of the regular file at `path`, symbolic links not followed; nil when there is none.
    public init?(of path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }

    /// The four numbers, in the order of the properties: a key in files that outlive the process.
    public var key: String { "\(device) \(inode) \(byteCount) \(modificationNanoseconds)" }

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        byteCount = Int(status.st_size)
        modificationNanoseconds = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    }
}
