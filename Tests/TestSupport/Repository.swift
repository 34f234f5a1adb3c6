public import Foundation

/// Where this checkout lies, for tests that read the repository's own files.
public enum Repository {
    /// The folder of `Package.swift`.
    public static let root: URL = URL(fileURLWithPath: #filePath)
        .resolvingSymlinksInPath()
        .deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()

    public static var sources: URL { root.appendingPathComponent("Sources", isDirectory: true) }

    public static var tests: URL { root.appendingPathComponent("Tests", isDirectory: true) }

    /// All files below a folder that have one of the extensions, in a stable order.
    public static func files(below folder: URL, _ extensions: Set<String>) throws -> [URL] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
        return names.map { folder.appendingPathComponent($0) }.filter { extensions.contains($0.pathExtension) }
    }
}
