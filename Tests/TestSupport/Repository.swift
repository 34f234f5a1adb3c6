public import Foundation

/// Where this checkout lies, for tests that read the repository's own files.
public enum Repository {
    /// The folder of `Package.swift`.
    public static let root: URL = URL(fileURLWithPath: #filePath)
        .resolvingSymlinksInPath()
        .deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()
}
