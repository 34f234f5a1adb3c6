import Glibc

/// The granularity of memory mappings.
enum PageSize {
    /// Bytes of an ordinary page; a power of two.
    static let byteCount: Int = max(4096, sysconf(Int32(_SC_PAGESIZE)))
    /// Bytes of a transparent huge page on x86-64, and on arm64 with 4 KiB pages.
    static let hugeByteCount = 2 << 20
}
