import Foundation
import Host

/// What a path that a user gave leads to.
enum CheckpointLocation {
    case gguf(MappedFile)
    case directory(URL)

    /// - Throws: `CheckpointError` when the path leads to nothing that can be read as a model.
    static func find(_ path: String) throws(CheckpointError) -> CheckpointLocation {
        var isDirectory: ObjCBool = false
        guard !path.isEmpty, unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw CheckpointError(
                code: .notFound, path: path,
                message: "no such file or directory; name a GGUF file or a Hugging Face model directory")
        }
        let url = URL(fileURLWithPath: path)
        if isDirectory.boolValue { return try search(url) }
        if path.hasSuffix(".safetensors") || path.hasSuffix(".json") {
            return .directory(url.deletingLastPathComponent())
        }
        return .gguf(try map(path))
    }

    private static func search(_ directory: URL) throws(CheckpointError) -> CheckpointLocation {
        if FileManager.default.fileExists(atPath: directory.appendingPathComponent("config.json").path) {
            return .directory(directory)
        }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        } catch {
            throw CheckpointError(
                code: .unreadable, path: directory.path,
                message: "cannot be listed; make the directory readable for the user that runs this process")
        }
        let candidates = names.filter { name in
            // Of a split model only the first part counts.
            name.hasSuffix(".gguf") && (!isLaterPart(name))
        }.sorted()
        guard let only = candidates.first else {
            throw CheckpointError(
                code: .notFound, path: directory.path,
                message: names.contains("adapter_config.json")
                    ? "is a LoRA adapter, which is not supported yet; name the base model or merge the adapter into it"
                    : "holds neither config.json nor a GGUF file; name a model")
        }
        guard candidates.count == 1 else {
            throw CheckpointError(
                code: .notFound, path: directory.path,
                message: "holds several GGUF files; name one of \(candidates.prefix(8).joined(separator: ", "))")
        }
        return .gguf(try map(directory.appendingPathComponent(only).path))
    }

    /// Whether a file name ends in "-00002-of-00003.gguf" with a number above 1.
    private static func isLaterPart(_ name: String) -> Bool {
        let parts = name.dropLast(".gguf".count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[parts.count - 2] == "of", parts[parts.count - 1].count == 5,
            let number = Int(parts[parts.count - 3])
        else { return false }
        return number > 1
    }

    private static func map(_ path: String) throws(CheckpointError) -> MappedFile {
        do throws(HostError) {
            return try MappedFile(path: path)
        } catch {
            throw CheckpointError(error, path: path)
        }
    }
}
