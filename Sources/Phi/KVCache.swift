import Host
public import Inference
public import Kernels

/// The keys and values of a stage's layers, in physical pages of 64 positions that sequences share out.
public final class KVCache: Sendable {
    public let layout: AttentionPageLayout
    public let pageCount: Int
    /// All pages, one after the other.
    ///
    /// Written by the stage's computation only, each position by one thread.
    let buffer: HugeBuffer

    /// Bytes of the pages.
    public var byteCount: Int { buffer.byteCount }

    /// Reserves zeroed pages; the machine gives the memory when a page is first used.
    ///
    /// - Throws: `PhiError` when the pages do not fit into memory.
    public init(layout: AttentionPageLayout, pageCount: Int) throws {
        let (byteCount, overflow) = layout.pageByteCount.multipliedReportingOverflow(by: pageCount)
        guard pageCount > 0, pageCount <= Int(UInt32.max), !overflow else {
            throw PhiError(
                code: .memory,
                message:
                    "\(pageCount) KV pages of \(layout.pageByteCount) bytes are not possible; choose another --ctx-size"
            )
        }
        self.layout = layout
        self.pageCount = pageCount
        do {
            buffer = try HugeBuffer(byteCount: byteCount)
        } catch {
            throw PhiError(code: .memory, message: "KV pages: \(error.message); choose a smaller --ctx-size")
        }
    }
}

extension AttentionPageFormat {
    /// The kernels' name of a KV type.
    public init(_ type: KVType) {
        switch type {
        case .f16: self = .f16
        case .f32: self = .f32
        case .q8x0: self = .q8x0
        }
    }
}
