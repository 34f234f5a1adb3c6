import Foundation

/// What was typed before, kept in a file that only its owner can read.
public struct LineHistory: Sendable {
    public private(set) var lines: [String] = []
    private var path: String?

    static let maxCount = 1000
    static let maxLineByteCount = 64 << 10
    private static let maxFileByteCount = 8 << 20

    /// - Parameter path: the file, made when it is missing; nil keeps the history for this run only.
    public init(path: String?) {
        self.path = path
        guard let path, let file = FileHandle(forReadingAtPath: path),
            let data = try? file.read(upToCount: Self.maxFileByteCount)
        else { return }
        let all = String(decoding: data, as: UTF8.self).split(separator: "\n").map { Self.unescaped($0) }
        lines = all.suffix(Self.maxCount)
        // The file grows by appending; now and then it is cut.
        if all.count > 2 * Self.maxCount { try? write(lines.map { Self.escaped($0) + "\n" }.joined(), isNew: true) }
    }

    /// `$XDG_STATE_HOME/phalanx/chat_history`, or the same below `~/.local/state`.
    public static func usualPath(environment: [String: String]) -> String? {
        let state = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        let folder = state ?? environment["HOME"].map { $0 + "/.local/state" }
        return folder.map { $0 + "/phalanx/chat_history" }
    }

    /// Adds a line, unless it is empty, very long, or the one before. Throws when the file cannot be written.
    public mutating func add(_ line: String) throws {
        guard !line.isEmpty, line.utf8.count <= Self.maxLineByteCount, line != lines.last else { return }
        lines.append(line)
        if lines.count > Self.maxCount { lines.removeFirst() }
        do {
            try write(Self.escaped(line) + "\n", isNew: false)
        } catch {
            // It would fail for the next line, too.
            path = nil
            throw error
        }
    }

    private func write(_ text: String, isNew: Bool) throws {
        guard let path else { return }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        if isNew || !FileManager.default.fileExists(atPath: path) {
            let isMade = FileManager.default.createFile(
                atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
            guard isMade else { throw CocoaError(.fileWriteNoPermission, userInfo: [NSFilePathErrorKey: path]) }
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.seekToEnd()
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
    }

    /// One line of the file per entry, whatever is in it.
    private static func escaped(_ line: String) -> String {
        line.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    private static func unescaped(_ text: Substring) -> String {
        var line = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                line.append(character == "n" ? "\n" : character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                line.append(character)
            }
        }
        return line
    }
}
