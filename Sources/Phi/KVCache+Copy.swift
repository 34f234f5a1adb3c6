import Host
package import Inference
import Kernels

extension KVCache {
    /// Copies the keys and values of all layers from one page to another.
    ///
    /// No step may be running. Positions are stored rotated, so the copy stands for the same positions.
    package func copyPage(_ source: PageID, to target: PageID) {
        let (source, target) = (Int(source.rawValue), Int(target.rawValue))
        precondition(source < pageCount && target < pageCount && source != target, "two pages of the cache")
        let byteCount = layout.pageByteCount
        let bytes = unsafe buffer.unsafeBytes
        // Both ranges lie in the buffer, as was just checked, and different pages do not overlap.
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[target * byteCount..<(target + 1) * byteCount])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[source * byteCount..<(source + 1) * byteCount]))
        withExtendedLifetime(self) {}
    }
}
