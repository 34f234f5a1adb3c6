import Glibc

/// The room on a file system.
public struct DiskSpace: Sendable, Hashable {
    /// Bytes of the whole file system.
    public let byteCount: Int
    /// Bytes that this user may still fill.
    public let availableByteCount: Int

    public init(byteCount: Int, availableByteCount: Int) {
        self.byteCount = byteCount
        self.availableByteCount = availableByteCount
    }

    /// The file system that holds `path`.
    ///
    /// - Throws: `HostError` when the path leads nowhere.
    public init(at path: String) throws(HostError) {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { throw HostError.file(path, action: "examine", errno: errno) }
        let blockByteCount = Int(clamping: status.f_frsize)
        byteCount = Self.product(Int(clamping: status.f_blocks), blockByteCount)
        availableByteCount = Self.product(Int(clamping: status.f_bavail), blockByteCount)
    }

    private static func product(_ count: Int, _ byteCount: Int) -> Int {
        let (product, overflow) = count.multipliedReportingOverflow(by: byteCount)
        return overflow ? Int.max : product
    }
}
