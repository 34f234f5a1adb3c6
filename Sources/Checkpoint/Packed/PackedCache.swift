import Host

/// Packed weights on disk, so that the next start need not pack them again.
///
/// One file per part below `DIRECTORY/packed/FINGERPRINT/`: written beside under a temporary name, brought to the disk and
/// renamed, so that a file is whole or not there, whoever else writes. Each has checksums of all its bytes. Several
/// processes may share a cache.
public final class PackedCache: Sendable {
    /// Where the cache is and what it may take.
    public struct Settings: Sendable, Hashable {
        /// The cache directory; made when it is first needed.
        public var directory: String
        /// The most bytes of all files together.
        public var byteLimit: Int

        public init(directory: String, byteLimit: Int = Settings.defaultByteLimit) {
            self.directory = directory
            self.byteLimit = byteLimit
        }

        /// 64 GiB: a few models of 14 billion weights.
        public static let defaultByteLimit = 64 << 30
    }

    /// What the user may want to know.
    public enum Event: Sendable, Hashable {
        /// A file of the cache is not used, and will be replaced.
        case replaced(path: String, reason: String)
        /// The cache takes nothing more for now.
        case unavailable(reason: String)
        /// Parts were written.
        case wrote(partCount: Int, byteCount: Int, seconds: Double)
        /// Weights that were computed with in place are in huge pages now.
        case moved(byteCount: Int, seconds: Double)
        /// They are not, which costs speed.
        case leftInPlace(reason: String)
    }

    public let settings: Settings
    let report: @Sendable (Event) -> Void
    let writer: PackedWriter
    private let diskSpace: @Sendable (_ path: String) throws(HostError) -> DiskSpace

    /// - Parameter report: called from any thread.
    public convenience init(_ settings: Settings, report: @escaping @Sendable (Event) -> Void = { _ in }) {
        self.init(settings, report: report) { path throws(HostError) in try DiskSpace(at: path) }
    }

    /// - Parameter diskSpace: the room on the file system that holds a path.
    init(
        _ settings: Settings, report: @escaping @Sendable (Event) -> Void,
        diskSpace: @escaping @Sendable (_ path: String) throws(HostError) -> DiskSpace
    ) {
        self.settings = settings
        self.report = report
        self.diskSpace = diskSpace
        writer = PackedWriter(report: report)
    }

    /// The part of the cache that belongs to one checkpoint.
    ///
    /// - Parameter fingerprint: of the checkpoint.
    public func model(_ fingerprint: String) -> PackedModelCache {
        PackedModelCache(cache: self, fingerprint: fingerprint)
    }

    /// Waits until everything is written, but not longer than some seconds: for a process that is about to end.
    public func finishWriting(withinSeconds seconds: Double) {
        writer.waitUntilIdle(withinSeconds: seconds)
    }

    /// The folder of all models.
    var root: String { settings.directory + "/packed" }

    /// What must stay free on the disk whatever the cache may take.
    func spareByteCount(of space: DiskSpace) -> Int { max(Self.leastSpareByteCount, space.byteCount / 20) }

    static let leastSpareByteCount = 1 << 30

    func space() throws(HostError) -> DiskSpace { try diskSpace(root) }
}
