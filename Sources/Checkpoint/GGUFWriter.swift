import Host

/// A tensor of a GGUF file that is being made.
public struct GGUFTensorPlan: Sendable, Hashable {
    /// Its name in the file.
    public let name: String
    /// How its numbers are stored.
    public let type: TensorType
    /// Extents, the fastest-varying (the row length) first.
    public let dimensions: [Int]

    public init(name: String, type: TensorType, dimensions: [Int]) {
        precondition(!dimensions.isEmpty && dimensions.allSatisfy { $0 > 0 }, "a tensor has extents")
        precondition(dimensions[0] % type.blockLength == 0, "a row is a whole number of blocks")
        self.name = name
        self.type = type
        self.dimensions = dimensions
    }

    /// Numbers per row.
    public var columns: Int { dimensions[0] }
    /// Rows: the product of all extents but the first.
    public var rows: Int { dimensions.dropFirst().reduce(1, *) }
    /// Bytes per row.
    public var rowByteCount: Int { columns / type.blockLength * type.blockByteCount }
    /// Bytes of all rows.
    public var byteCount: Int { rowByteCount * rows }
}

/// Writes a GGUF file (version 3, little-endian) whose tensors come in any order, in parts and from several threads.
///
/// The file appears under its name only when it is complete: see `NewFile`. Format: ggml's `docs/gguf.md`.
public final class GGUFWriter: Sendable {
    /// The tensors, in file order.
    public let tensors: [GGUFTensorPlan]
    /// Size of the whole file in bytes.
    public var byteCount: Int { file.byteCount }

    private let file: NewFile
    /// Where each tensor's bytes begin in the file.
    private let offsets: [Int]

    /// Reserves the file and writes everything but the tensors' numbers.
    ///
    /// - Parameter replacesExisting: whether a file of that name is replaced at the end.
    /// - Throws: `CheckpointError` when the file exists, the disk has not enough room, or the system refuses.
    public init(
        path: String, metadata: GGUFMetadata, tensors: [GGUFTensorPlan], replacesExisting: Bool = false
    ) throws(CheckpointError) {
        self.tensors = tensors
        let alignment = metadata.alignment
        func aligned(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

        var infos: [UInt8] = []
        var relative: [Int] = []
        var end = 0
        for tensor in tensors {
            infos += GGUFMetadata.string(Array(tensor.name.utf8))
            infos += GGUFMetadata.little(UInt32(tensor.dimensions.count))
            for extent in tensor.dimensions { infos += GGUFMetadata.little(UInt64(extent)) }
            infos += GGUFMetadata.little(tensor.type.rawValue)
            infos += GGUFMetadata.little(UInt64(end))
            relative.append(end)
            end += aligned(tensor.byteCount)
        }
        var header = GGUFMetadata.little(GGUFFile.magic) + GGUFMetadata.little(UInt32(3))
        header += GGUFMetadata.little(UInt64(tensors.count))
        header += GGUFMetadata.little(UInt64(metadata.entries.count))
        header += metadata.encoded()
        header += infos
        let start = aligned(header.count)
        offsets = relative.map { start + $0 }
        do throws(HostError) {
            file = try NewFile(path: path, byteCount: start + end, replacesExisting: replacesExisting)
            // An array's elements seen as bytes.
            try unsafe file.write(header.span.bytes, at: 0)
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Writes bytes of a tensor. May be called from several threads at once, for parts that do not overlap.
    ///
    /// - Parameters:
    ///   - tensor: its position in `tensors`.
    ///   - offset: where in the tensor, in bytes.
    /// - Throws: `CheckpointError` when the system refuses.
    public func write(_ bytes: RawSpan, tensor: Int, at offset: Int) throws(CheckpointError) {
        precondition(
            offset >= 0 && offset + bytes.byteCount <= tensors[tensor].byteCount, "bytes beyond the end of a tensor")
        do throws(HostError) {
            try file.write(bytes, at: offsets[tensor] + offset)
        } catch {
            throw CheckpointError(error, path: file.path)
        }
    }

    /// Waits until everything is on the disk and gives the file its name. Without this nothing remains of it.
    ///
    /// - Throws: `CheckpointError` when the system refuses.
    public func finish() throws(CheckpointError) {
        do throws(HostError) {
            try file.commit()
        } catch {
            throw CheckpointError(error, path: file.path)
        }
    }
}
