public import Foundation

/// The golden models and tokenizer cases that a checkout may have beside it.
///
/// They are looked for in the folder that the environment variable `PHALANX_FIXTURES` names, or else in
/// `../shared/fixtures` relative to the repository. Tests that need them are disabled, with a reason, when absent.
public enum Fixtures {
    /// The folder that holds `models` and `tokenizer`, or nil when the checkout has none.
    public static let directory: URL? = {
        let candidate: URL
        if let named = ProcessInfo.processInfo.environment["PHALANX_FIXTURES"], !named.isEmpty {
            candidate = URL(fileURLWithPath: named, isDirectory: true)
        } else {
            candidate =
                Repository.root
                .deletingLastPathComponent()
                .appendingPathComponent("shared/fixtures", isDirectory: true)
        }
        let models = candidate.appendingPathComponent("models", isDirectory: true)
        return FileManager.default.fileExists(atPath: models.path) ? candidate : nil
    }()

    /// Whether the fixtures are there.
    public static var areHere: Bool { directory != nil }

    /// What a skipped test says.
    public static let reason: String =
        "needs the golden fixtures: set PHALANX_FIXTURES to their folder or put it at ../shared/fixtures"

    /// The folder of one golden model.
    ///
    /// Call only from a test enabled by `areHere`.
    public static func model(_ name: String) throws -> URL {
        try file("models/" + name)
    }

    /// A file below the fixtures' folder; throws when the fixtures or the file are missing.
    public static func file(_ relativePath: String) throws -> URL {
        guard let directory else { throw Missing(path: relativePath) }
        let url = directory.appendingPathComponent(relativePath)
        guard FileManager.default.fileExists(atPath: url.path) else { throw Missing(path: url.path) }
        return url
    }

    /// A fixture that a test asked for and that is not there.
    public struct Missing: Error, CustomStringConvertible {
        let path: String
        public var description: String { "no fixture at \(path)" }
    }
}
