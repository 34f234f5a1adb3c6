import Glibc

/// A file mapped read-only into memory: pages come from disk when they are touched, and may be dropped again.
///
/// Every access is checked against the size that the file had when it was opened. That protects against a hostile
/// file, not against one that shrinks while it is mapped: touching a page beyond the new end raises SIGBUS, which ends
/// the process. Nothing short of copying prevents that, so replace a checkpoint by renaming a new file over it (the
/// mapping then keeps the old content), never by rewriting it in place. `checkUnchanged()` notices a change
/// beforehand.
public final class MappedFile: Sendable {
    /// The path that was opened, for messages.
    public let path: String
    /// Device, inode, size and modification time at the moment of opening.
    public let identity: FileIdentity
    /// Size in bytes.
    public var byteCount: Int { identity.byteCount }

    /// Address of the mapping, or 0 for an empty file. An integer, because it is Sendable; valid until `deinit`.
    private let address: UInt

    /// Opens and maps the file at `path`.
    ///
    /// - Throws: `HostError` when there is none, access is refused, or it is not a regular file.
    public init(path: String) throws(HostError) {
        self.path = path
        // O_NONBLOCK: opening a FIFO must not wait for a writer before it can be refused.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw HostError.file(path, action: "open", errno: errno) }
        defer { close(descriptor) }

        identity = try Self.identity(of: descriptor, path: path)
        guard identity.byteCount > 0 else {
            address = 0
            return
        }
        // A fresh read-only private mapping at an address of the kernel's choice touches no other memory.
        guard let start = unsafe mmap(nil, identity.byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0),
            unsafe start != MAP_FAILED
        else { throw HostError.file(path, action: "map", errno: errno) }
        // Every property is set from here on, so `deinit` unmaps when the next check throws.
        address = UInt(bitPattern: start)
        // The size may have changed between the two calls; after this `checkUnchanged` is the caller's.
        guard try Self.identity(of: descriptor, path: path).byteCount == identity.byteCount else {
            throw Self.changed(path)
        }
    }

    deinit {
        // Only `init` maps and nothing else unmaps; slices that were handed out must not outlive this object.
        if address != 0 { unsafe munmap(UnsafeMutableRawPointer(bitPattern: address), byteCount) }
    }

    /// The bytes in `range`, without copying.
    ///
    /// The pointer is valid only while this `MappedFile` is alive: keep a reference next to it.
    /// - Throws: `HostError` when the range reaches outside the file.
    public func unsafeBytes(in range: Range<Int>) throws(HostError) -> UnsafeRawBufferPointer {
        try check(range)
        // In bounds, so the pointer arithmetic stays inside the mapping.
        return unsafe UnsafeRawBufferPointer(
            start: UnsafeRawPointer(bitPattern: address).map { unsafe $0 + range.lowerBound }, count: range.count)
    }

    /// Calls `body` with the bytes in `range`.
    ///
    /// - Throws: `HostError` when the range reaches outside the file, or what `body` throws.
    public func withBytes<Result>(in range: Range<Int>, _ body: (RawSpan) throws -> Result) throws -> Result {
        let bytes = try unsafe unsafeBytes(in: range)
        defer { withExtendedLifetime(self) {} }
        return try body(unsafe bytes.bytes)
    }

    /// Calls `body` with all bytes of the file.
    public func withBytes<Result>(_ body: (RawSpan) throws -> Result) throws -> Result {
        try withBytes(in: 0..<byteCount, body)
    }

    /// Asks the kernel to read `range` ahead. Advice: it never fails.
    public func adviseWillNeed(_ range: Range<Int>) {
        advise(range, MADV_WILLNEED)
    }

    /// Lets the kernel drop the pages of `range`; they are read again when touched. Advice: it never fails.
    public func adviseDontNeed(_ range: Range<Int>) {
        advise(range, MADV_DONTNEED)
    }

    /// Compares the file now at `path` with the one that was opened.
    ///
    /// - Throws: `HostError.Code.fileChanged` when it was replaced, resized or rewritten.
    public func checkUnchanged() throws(HostError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw HostError.file(path, action: "open", errno: errno) }
        defer { close(descriptor) }
        guard try Self.identity(of: descriptor, path: path) == identity else { throw Self.changed(path) }
    }

    private func check(_ range: Range<Int>) throws(HostError) {
        guard range.lowerBound >= 0, range.upperBound <= byteCount else {
            throw HostError(
                code: .outOfRange,
                message:
                    "\(path): bytes \(range.lowerBound)..<\(range.upperBound) reach outside the file's \(byteCount)"
            )
        }
    }

    private func advise(_ range: Range<Int>, _ advice: Int32) {
        let clamped = range.clamped(to: 0..<byteCount)
        guard !clamped.isEmpty else { return }
        let pageMask = ~(PageSize.byteCount - 1)
        let start = clamped.lowerBound & pageMask
        // The mapping starts on a page; `start` and the length stay inside it.
        unsafe madvise(
            UnsafeMutableRawPointer(bitPattern: address + UInt(start)), clamped.upperBound - start, advice)
    }

    private static func identity(of descriptor: Int32, path: String) throws(HostError) -> FileIdentity {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw HostError.file(path, action: "examine", errno: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "not a regular file"
            throw HostError(code: .notARegularFile, message: "\(path): is \(kind); name a file")
        }
        return FileIdentity(status)
    }

    private static func changed(_ path: String) -> HostError {
        HostError(
            code: .fileChanged,
            message: "\(path): changed while it was open; replace checkpoints by renaming, then start again")
    }
}
