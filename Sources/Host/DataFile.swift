import CHost
import Glibc

/// An open file that is read and written at given places, several threads at a time.
///
/// Reading copies: unlike a mapping, a file that shrinks meanwhile gives an error, not a signal.
public final class DataFile: Sendable {
    /// The path that was opened, for messages.
    public let path: String

    /// Valid until `deinit`, which alone closes it.
    private let descriptor: Int32

    /// Opens a file to read it, and to write what is there already if the system lets us.
    ///
    /// - Throws: `HostError` when there is none, access is refused, or it is not a regular file.
    public init(reading path: String) throws(HostError) {
        self.path = path
        // O_NONBLOCK: opening a FIFO must not wait for a writer before it can be refused.
        let flags = O_CLOEXEC | O_NONBLOCK
        var opened = unsafe open(path, O_RDWR | flags)
        if opened < 0, errno == EACCES || errno == EROFS || errno == EPERM {
            opened = unsafe open(path, O_RDONLY | flags)
        }
        descriptor = opened
        guard descriptor >= 0 else { throw HostError.file(path, action: "open", errno: errno) }
        guard try status().st_mode & S_IFMT == S_IFREG else {
            throw HostError(code: .notARegularFile, message: "\(path): is not a regular file; remove it")
        }
    }

    /// Makes a file, which must not exist.
    ///
    /// - Throws: `HostError` when it exists or cannot be made.
    public init(creating path: String) throws(HostError) {
        self.path = path
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw HostError.change(of: path, action: "create the file", errno: errno) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Size in bytes, now.
    public var byteCount: Int { get throws(HostError) { Int(try status().st_size) } }

    /// Bytes on the disk, now: fewer than its size for a file with holes.
    public var allocatedByteCount: Int {
        // The kernel counts in units of 512 bytes whatever the file system's blocks are.
        get throws(HostError) { Int(try status().st_blocks) * 512 }
    }

    /// What lies in `range`.
    ///
    /// - Throws: `HostError` when the file ends before, or reading fails.
    public func bytes(in range: Range<Int>) throws(HostError) -> [UInt8] {
        var failure: HostError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            do throws(HostError) {
                try unsafe read(
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(buffer)[..<range.count]), at: range.lowerBound)
                count = range.count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes `bytes` from `offset` on.
    ///
    /// - Throws: `HostError` when there is no room or writing fails.
    public func write(_ bytes: [UInt8], at offset: Int) throws(HostError) {
        var failure: HostError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(HostError) { try unsafe write(buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Fills `bytes` with what lies from `offset` on.
    ///
    /// - Throws: `HostError` when the file ends before, or reading fails.
    public func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError) {
        var done = 0
        while done < bytes.count {
            // The rest of the caller's buffer, which the call fills at most.
            let count = unsafe pread(
                descriptor, bytes.baseAddress.map { unsafe $0 + done }, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw HostError.file(path, action: "read", errno: errno) }
            guard count > 0 else {
                throw HostError(code: .outOfRange, message: "\(path): ends at byte \(offset + done)")
            }
            done += count
        }
    }

    /// Maps what lies from `offset` on, read-only, in place of the whole pages of `bytes`.
    func map(offset: Int, over bytes: UnsafeMutableRawBufferPointer) throws(HostError) {
        // The caller owns these pages.
        let mapped = unsafe mmap(
            bytes.baseAddress, bytes.count, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor, off_t(offset))
        guard unsafe mapped != MAP_FAILED else { throw HostError.file(path, action: "map", errno: errno) }
        // All of it will be read, soon and in order.
        unsafe madvise(mapped, bytes.count, MADV_WILLNEED)
    }

    /// Writes `bytes` from `offset` on.
    ///
    /// - Throws: `HostError` when there is no room or writing fails.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(HostError) {
        var done = 0
        while done < bytes.count {
            // The rest of the caller's buffer, which the call only reads.
            let count = unsafe pwrite(
                descriptor, bytes.baseAddress.map { unsafe $0 + done }, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw HostError.change(of: path, action: "write", errno: count < 0 ? errno : EIO) }
            done += count
        }
    }

    /// Gives the file its size, and room on the disk for it where the file system can promise that.
    public func reserve(byteCount: Int) throws(HostError) { try reserve(0..<byteCount) }

    /// Promises room on the disk for some bytes of the file, where the file system can.
    public func reserve(_ range: Range<Int>) throws(HostError) {
        let error = chost_reserve(descriptor, Int64(range.lowerBound), Int64(range.count))
        guard error == 0 else {
            throw HostError.change(of: path, action: "reserve \(range.count) bytes", errno: error)
        }
    }

    /// Gives the file its size; what was not there before is zero and takes no room.
    public func resize(byteCount: Int) throws(HostError) {
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
            throw HostError.change(of: path, action: "make it \(byteCount) bytes long", errno: errno)
        }
    }

    /// Begins to bring written bytes to the disk, so that `synchronize` has little left to do. Advice: it never fails.
    public func startWriting(_ range: Range<Int>) {
        chost_start_writing(descriptor, Int64(range.lowerBound), Int64(range.count))
    }

    /// Returns when all that was written is on the disk.
    public func synchronize() throws(HostError) {
        guard fsync(descriptor) == 0 else { throw HostError.change(of: path, action: "write", errno: errno) }
    }

    /// Gives the file another name, in place of what had it before.
    public func move(to destination: String) throws(HostError) {
        guard unsafe rename(path, destination) == 0 else {
            throw HostError.change(of: destination, action: "put the file in place", errno: errno)
        }
    }

    /// Takes the name away that the file was opened by.
    public func remove() { unsafe unlink(path) }

    /// Sets the time of the last change to now: the mark of a use. Not a failure where the file cannot be changed.
    public func touch() {
        // Null times mean now.
        futimens(descriptor, nil)
    }

    /// Waits for a lock (`flock`) that the file keeps until `unlock` or its end. Advice among those who ask: a file
    /// system without locks grants none, and that is not a failure.
    public func lock(shared: Bool) {
        while flock(descriptor, shared ? LOCK_SH : LOCK_EX) != 0, errno == EINTR {}
    }

    /// Takes the exclusive lock if nobody holds one.
    public func tryLock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    public func unlock() { flock(descriptor, LOCK_UN) }

    private func status() throws(HostError) -> stat {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw HostError.file(path, action: "examine", errno: errno)
        }
        return status
    }
}
