import Foundation

/// Where the demo model lies.
enum DemoModel {
    static let name = "demo"

    /// The path of a model that the user named: "demo" is the one that comes along.
    static func resolve(_ model: String) throws -> String {
        guard model == name else { return model }
        for candidate in candidates where FileManager.default.fileExists(atPath: candidate.path) {
            return candidate.path
        }
        throw CommandError(
            "the demo model was not found; looked for \(candidates.map(\.path).joined(separator: ", ")). "
                + "Name a model file with --model PATH.")
    }

    /// The name under which a model is served when the user gives none.
    static func alias(for model: String) -> String {
        guard model != name else { return name }
        let url = URL(fileURLWithPath: model).standardizedFileURL
        return url.pathExtension.lowercased() == "gguf"
            ? url.deletingPathExtension().lastPathComponent : url.lastPathComponent
    }

    /// Beside the program (as built), or in the share folder (as installed).
    private static var candidates: [URL] {
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let folder = program.deletingLastPathComponent()
        return [
            folder.appendingPathComponent("phalanx_phalanx.resources/demo.gguf"),
            folder.deletingLastPathComponent().appendingPathComponent("share/phalanx/demo.gguf"),
        ]
    }
}
