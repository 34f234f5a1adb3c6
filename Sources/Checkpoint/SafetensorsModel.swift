import Foundation
import Host

/// The tensors of a Hugging Face directory: one `model.safetensors`, or shards with an index.
struct SafetensorsModel: Sendable {
    /// The files, by ascending name.
    let files: [SafetensorsFile]
    private let places: [String: Int]

    var isEmpty: Bool { places.isEmpty }

    /// The tensor of a name and the file that it lies in; nil when there is none.
    subscript(name: String) -> (tensor: SafetensorsTensor, file: MappedFile)? {
        guard let place = places[name], let tensor = files[place].tensors[name] else { return nil }
        return (tensor, files[place].file)
    }

    /// The weights in `directory`; empty when it holds none.
    ///
    /// - Throws: `CheckpointError` when a shard is missing, unreadable or contradicts the index.
    init(directory: URL) throws(CheckpointError) {
        let indexPath = directory.appendingPathComponent("model.safetensors.index.json").path
        let index = try TextFile.json(indexPath, as: Index.self, limit: TextFile.configurationLimit)
        guard let index else {
            let path = directory.appendingPathComponent("model.safetensors").path
            let files = FileManager.default.fileExists(atPath: path) ? [try SafetensorsFile(path: path)] : []
            try self.init(files: files)
            return
        }
        let names = Set(index.weightMap.values).sorted()
        guard names.count <= 10_000 else { throw .malformed(indexPath, "names \(names.count) files; it is corrupt") }
        var files: [SafetensorsFile] = []
        for name in names {
            // A shard lies beside its index; a name that leads elsewhere is not followed.
            guard !name.isEmpty, !name.contains("/"), !name.contains("\0"), name != "..", name.hasSuffix(".safetensors")
            else { throw .malformed(indexPath, "names the file \(quoted(name)), which is no shard beside it") }
            files.append(try SafetensorsFile(path: directory.appendingPathComponent(name).path))
        }
        try self.init(files: files)
        for (tensor, name) in index.weightMap {
            guard let place = places[tensor], names[place] == name else {
                throw .inconsistent(
                    indexPath, "tensor \(quoted(tensor)) should be in \(quoted(name)), but is not; fetch both again")
            }
        }
    }

    private init(files: [SafetensorsFile]) throws(CheckpointError) {
        var places: [String: Int] = [:]
        for (place, file) in files.enumerated() {
            for name in file.tensors.keys where places.updateValue(place, forKey: name) != nil {
                throw .malformed(file.file.path, "tensor \(quoted(name)) is in another shard, too; remove stale shards")
            }
        }
        self.files = files
        self.places = places
    }

    private struct Index: Decodable {
        let weightMap: [String: String]

        enum CodingKeys: String, CodingKey {
            case weightMap = "weight_map"
        }
    }
}
