public import Host

/// A GGUF file (versions 2 and 3, little-endian): its metadata and the places of its tensors.
///
/// The file is mapped and its header checked once, with every count and length held against the bytes that are really
/// there before anything is allocated for it. Large arrays (a vocabulary) are passed over and read on demand.
/// Format: ggml's `docs/gguf.md`.
public struct GGUFFile: Sendable {
    /// The mapped file.
    public let file: MappedFile
    /// The path of the file, for messages.
    public var path: String { file.path }
    /// 2 or 3.
    public let version: UInt32
    /// Metadata by key.
    public let metadata: [String: GGUFValue]
    /// Keys and the places of their values, in file order.
    public let metadataEntries: [GGUFMetadataEntry]
    /// Tensors by name.
    public let tensors: [String: GGUFTensor]
    /// Tensor names in file order.
    public let tensorNames: [String]
    /// Byte range of header, metadata and tensor table.
    public let headerRange: Range<Int>

    /// Maps and checks the file at `path`.
    ///
    /// - Throws: `CheckpointError` naming the key, tensor or byte that is wrong.
    public init(path: String) throws(CheckpointError) {
        let file: MappedFile
        do throws(HostError) {
            file = try MappedFile(path: path)
        } catch {
            throw CheckpointError(error, path: path)
        }
        try self.init(file: file)
    }

    /// Whether the file at `path` begins as a GGUF file does.
    public static func isGGUF(_ file: MappedFile) -> Bool {
        file.byteCount >= 4 && (try? ByteReader.first(UInt32.self, of: file)) == magic
    }

    /// "GGUF" as a little-endian integer.
    static let magic: UInt32 = 0x4655_4747
}

/// Where the value of a metadata key lies in a GGUF file.
public struct GGUFMetadataEntry: Sendable, Hashable {
    /// The key.
    public let key: String
    /// The type of its value.
    public let type: GGUFValueType
    /// The bytes of the value: for an array the type and the number of its elements first.
    public let range: Range<Int>
}

/// A tensor of a GGUF file.
public struct GGUFTensor: Sendable, Hashable {
    /// Its name in the file.
    public let name: String
    /// How its numbers are stored.
    public let type: TensorType
    /// Extents, the fastest-varying (the row length) first, as in the file.
    public let dimensions: [Int]
    /// Where its bytes lie in the file.
    public let range: Range<Int>

    /// Numbers per row.
    public var columns: Int { dimensions[0] }
    /// Rows: the product of all extents but the first.
    public var rows: Int { dimensions.dropFirst().reduce(1, *) }
}
