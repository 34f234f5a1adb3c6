import Glibc

/// Zeroed memory of its own, in huge pages where the kernel grants them.
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

    deinit {
        unsafe munmap(mapped.address, mapped.byteCount)
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
