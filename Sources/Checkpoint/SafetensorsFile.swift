import Foundation
public import Host

/// A safetensors file: the places of its tensors.
///
/// The file is mapped; only its JSON header is read. Format: the safetensors README ("Format").
public struct SafetensorsFile: Sendable {
    /// The mapped file.
    public let file: MappedFile
    /// Tensors by name.
    public let tensors: [String: SafetensorsTensor]
    /// Byte range of the JSON header.
    public let headerRange: Range<Int>

    /// Headers beyond this are refused, as the reference implementation does.
    static let headerLimit = 100_000_000

    /// Maps the file at `path` and checks its header.
    ///
    /// - Throws: `CheckpointError` naming the tensor or byte that is wrong.
    public init(path: String) throws(CheckpointError) {
        do throws(HostError) {
            file = try MappedFile(path: path)
        } catch {
            throw CheckpointError(error, path: path)
        }
        var reader = try ByteReader(file)
        let length = try reader.count(
            limit: min(Self.headerLimit, max(0, file.byteCount - 8)), "the length of the header")
        headerRange = try reader.skip(length, "the header")
        let dataStart = headerRange.upperBound
        let entries: [String: Header.Entry]
        do {
            // The copy is no longer than the header, which is no longer than the file.
            let data = try file.withBytes(in: headerRange) { span in
                unsafe span.withUnsafeBytes { unsafe Data($0) }
            }
            entries = try JSONDecoder().decode(Header.self, from: data).entries
        } catch {
            throw .malformed(path, "the header is not what safetensors prescribes (\(brief(error))); fetch it again")
        }
        var tensors: [String: SafetensorsTensor] = [:]
        for (name, entry) in entries {
            tensors[name] = try Self.tensor(
                name, entry, data: dataStart..<file.byteCount, path: path)
        }
        self.tensors = tensors
    }

    private static func tensor(
        _ name: String, _ entry: Header.Entry, data: Range<Int>, path: String
    ) throws(CheckpointError) -> SafetensorsTensor {
        guard entry.offsets.count == 2, entry.offsets[0] >= 0, entry.offsets[0] <= entry.offsets[1],
            entry.offsets[1] <= data.count
        else {
            throw .malformed(
                path,
                "tensor \(quoted(name)) lies at \(entry.offsets.prefix(4)), outside the \(data.count) bytes of data: "
                    + "the file is truncated or corrupt; fetch it again")
        }
        guard entry.shape.count <= 8, entry.shape.allSatisfy({ $0 >= 0 }) else {
            throw .malformed(path, "tensor \(quoted(name)) has an impossible shape")
        }
        var elementCount = 1
        for extent in entry.shape {
            let (product, overflow) = elementCount.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw .malformed(path, "tensor \(quoted(name)) has an impossible shape") }
            elementCount = product
        }
        let type = TensorType(safetensorsName: entry.dtype)
        if let type {
            let expected = type.rowByteCount(columns: elementCount)
            guard expected == entry.offsets[1] - entry.offsets[0] else {
                throw .malformed(
                    path,
                    "tensor \(quoted(name)) of shape \(entry.shape) and type \(type.name) takes "
                        + "\(entry.offsets[1] - entry.offsets[0]) bytes; the file is corrupt")
            }
        }
        return SafetensorsTensor(
            name: name, typeName: String(entry.dtype.prefix(32)), type: type, shape: entry.shape,
            range: (data.lowerBound + entry.offsets[0])..<(data.lowerBound + entry.offsets[1]))
    }

    private struct Header: Decodable {
        struct Entry: Decodable {
            let dtype: String
            let shape: [Int]
            let offsets: [Int]

            enum CodingKeys: String, CodingKey {
                case dtype
                case shape
                case offsets = "data_offsets"
            }
        }

        let entries: [String: Entry]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            var entries: [String: Entry] = [:]
            for key in container.allKeys where key.stringValue != "__metadata__" {
                entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
            }
            self.entries = entries
        }
    }
}

/// A tensor of a safetensors file.
public struct SafetensorsTensor: Sendable, Hashable {
    /// Its name in the file.
    public let name: String
    /// The `dtype` as written.
    public let typeName: String
    /// The type; nil when it is not supported.
    public let type: TensorType?
    /// Extents, the slowest-varying first, as in the file.
    public let shape: [Int]
    /// Where its bytes lie in the file.
    public let range: Range<Int>
}

/// Any key of a JSON object.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// The gist of a JSON decoder's complaint, on one line.
func brief(_ error: any Error) -> String {
    func place(_ context: DecodingError.Context) -> String {
        let keys = context.codingPath.map(\.stringValue).joined(separator: ".")
        return keys.isEmpty ? context.debugDescription : "\(quoted(keys)): \(context.debugDescription)"
    }
    switch error {
    case DecodingError.keyNotFound(let key, let context): return "\(place(context)) \(quoted(key.stringValue))"
    case DecodingError.typeMismatch(_, let context): return place(context)
    case DecodingError.valueNotFound(_, let context): return place(context)
    case DecodingError.dataCorrupted(let context): return place(context)
    default: return String("\(error)".prefix(200))
    }
}
