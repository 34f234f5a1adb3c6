import CHost
import Glibc

/// Zeroed memory of its own, in huge pages where the kernel grants them; or bytes of a file on the way there.
///
/// Weights and KV pages live here: with small pages the address translation alone costs a third of the read bandwidth.
/// Pages are taken from the machine when first written. A buffer of 2 MiB or more starts on a huge-page boundary, a
/// smaller one on an ordinary page.
///
/// `@unchecked Sendable`: address and size never change after `init`, and the memory is freed only in `deinit`. Who
/// writes which bytes when is the owner's business, as with any shared memory.
@safe public final class HugeBuffer: @unchecked Sendable {
    /// Usable size in bytes, as asked for.
    public let byteCount: Int

    private let start: UnsafeMutableRawPointer
    private let mapped: (address: UnsafeMutableRawPointer, byteCount: Int)

    /// Reserves `byteCount` zeroed bytes.
    ///
    /// - Throws: `HostError` when the size is negative or the address space or memory limit does not allow it.
    public init(byteCount: Int) throws(HostError) {
        guard byteCount >= 0, byteCount <= 1 << 46 else {
            throw HostError(code: .outOfRange, message: "cannot reserve a buffer of \(byteCount) bytes")
        }
        self.byteCount = byteCount
        let isHuge = byteCount >= PageSize.hugeByteCount
        let page = isHuge ? PageSize.hugeByteCount : PageSize.byteCount
        let usable = max(page, (byteCount + page - 1) / page * page)
        // A huge buffer reserves one huge page more, so that an aligned start lies within; the slack is never touched.
        let reserved = isHuge ? usable + page : usable
        // A fresh anonymous mapping touches no other memory.
        guard
            let address = unsafe mmap(
                nil, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
            unsafe address != MAP_FAILED
        else {
            throw HostError(
                code: .system, message: "cannot reserve \(byteCount) bytes of memory: \(HostError.reason(errno))")
        }
        unsafe mapped = (address, reserved)
        let misalignment = Int(bitPattern: address) & (page - 1)
        unsafe start = address + (misalignment == 0 ? 0 : page - misalignment)
        // Only advice: a kernel without transparent huge pages serves small ones.
        if isHuge { unsafe madvise(start, usable, MADV_HUGEPAGE) }
    }

    /// Maps bytes of a file, to be read at once and moved into memory later: see `moveIntoMemory`.
    ///
    /// Until then the bytes are read-only, and those of the file: who cuts it off ends this process.
    ///
    /// - Parameter offset: a multiple of the page size.
    /// - Throws: `HostError` when the range is outside the file or cannot be mapped.
    public convenience init(mapping file: DataFile, offset: Int, byteCount: Int) throws(HostError) {
        guard byteCount > 0, offset >= 0, offset % PageSize.byteCount == 0,
            offset + byteCount <= (try file.byteCount)
        else {
            throw HostError(
                code: .outOfRange, message: "\(file.path): cannot map \(byteCount) bytes from \(offset) on")
        }
        try self.init(byteCount: byteCount)
        // In place of the fresh mapping, which nobody has seen yet.
        try unsafe file.map(offset: offset, over: unsafeBytes)
    }

    deinit {
        unsafe munmap(mapped.address, mapped.byteCount)
    }

    /// Copies what was mapped from a file into memory of our own, in huge pages where the kernel grants them. Others may
    /// read the bytes meanwhile.
    ///
    /// - Throws: `HostError` when there is no memory; everything stays as it was then.
    public func moveIntoMemory() throws(HostError) {
        let page = byteCount >= PageSize.hugeByteCount ? PageSize.hugeByteCount : PageSize.byteCount
        // Whole pages of the mapping: what the file does not fill of the last is zero.
        let byteCount = (self.byteCount + PageSize.byteCount - 1) / PageSize.byteCount * PageSize.byteCount
        // The same bytes at the same addresses, before and after.
        let error = unsafe chost_move_into_memory(start, byteCount, page)
        guard error == 0 else {
            throw HostError(
                code: .system, message: "cannot move \(byteCount) bytes into memory: \(HostError.reason(error))")
        }
        withExtendedLifetime(self) {}
    }

    /// All bytes, writable. Valid only while this object is alive.
    public var unsafeBytes: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }

    /// Calls `body` with all bytes, read-only.
    public func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(unsafe UnsafeRawBufferPointer(unsafeBytes).bytes)
    }

    /// Gives the physical memory back to the machine; the bytes read as zero afterwards.
    public func discard() {
        // The whole private anonymous mapping: the kernel replaces its pages by zeros.
        unsafe madvise(mapped.address, mapped.byteCount, MADV_DONTNEED)
    }
}
