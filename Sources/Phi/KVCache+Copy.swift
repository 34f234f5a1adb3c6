import Host
public import Inference
import Kernels

extension KVCache {
    /// Copies the keys and values of all layers from one page to another.
    ///
    /// No step may be running. Positions are stored rotated, so the copy stands for the same positions.
    package func copyPage(_ source: PageID, to target: PageID) {
        precondition(source != target, "two pages of the cache")
        for buffer in buffers {
            // Different pages of a buffer do not overlap.
            unsafe bytes(of: target, in: buffer).copyMemory(from: UnsafeRawBufferPointer(bytes(of: source, in: buffer)))
        }
        withExtendedLifetime(self) {}
    }

    /// Bytes of one layer in one page.
    public var layerByteCount: Int { layerLayout.pageByteCount }

    /// The keys and values of one layer in one page, as they lie in memory. No step may be running.
    public func contents(of page: PageID, layer: Int) -> [UInt8] {
        precondition(layers.contains(layer), "a layer of the cache")
        // The buffer outlives the copy.
        let found = unsafe [UInt8](bytes(of: page, in: buffers[layer - layers.first]))
        withExtendedLifetime(self) {}
        return found
    }

    /// Puts what another cache of the same form has there in the place of a page's keys and values. No step may be running.
    public func replace(_ page: PageID, layer: Int, with contents: [UInt8]) {
        precondition(layers.contains(layer) && contents.count == layerByteCount, "a layer's part of a page")
        unsafe contents.withUnsafeBytes { source in
            // As many bytes as the page has.
            unsafe bytes(of: page, in: buffers[layer - layers.first]).copyMemory(from: source)
        }
        withExtendedLifetime(self) {}
    }

    private func bytes(of page: PageID, in buffer: HugeBuffer) -> UnsafeMutableRawBufferPointer {
        let index = Int(page.rawValue)
        precondition(index < pageCount, "a page of the cache")
        let byteCount = layerLayout.pageByteCount
        // Within the buffer, as was just checked.
        return unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer.unsafeBytes[index * byteCount..<(index + 1) * byteCount])
    }
}
