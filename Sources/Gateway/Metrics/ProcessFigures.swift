import Foundation

/// What this process uses of its machine, as the kernel counts it.
///
/// Source: proc(5).
struct ProcessFigures {
    let residentByteCount: Int
    let virtualByteCount: Int
    let processorSeconds: Double
    let startSeconds: Double
    let openFileCount: Int
    let maxOpenFileCount: Double

    /// Nil where there is no `/proc`.
    static func read() -> ProcessFigures? {
        guard let stat = text("/proc/self/stat"), let boot = bootSeconds(), let limit = openFileLimit(),
            let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        else { return nil }
        // The second field, the program's name, may hold anything; it ends with the last parenthesis.
        let fields = stat.suffix(from: stat.lastIndex(of: ")") ?? stat.startIndex).split(separator: " ")
        // The field that the manual numbers as 2 is the first one here.
        func field(_ number: Int) -> Int? { fields.indices.contains(number - 2) ? Int(fields[number - 2]) : nil }
        guard let user = field(14), let system = field(15), let start = field(22), let virtual = field(23),
            let resident = field(24)
        else { return nil }
        let ticksPerSecond = Double(max(sysconf(Int32(_SC_CLK_TCK)), 1))
        return ProcessFigures(
            residentByteCount: resident * sysconf(Int32(_SC_PAGESIZE)), virtualByteCount: virtual,
            processorSeconds: Double(user + system) / ticksPerSecond,
            startSeconds: boot + Double(start) / ticksPerSecond,
            // One of them was open to list the others.
            openFileCount: max(files.count - 1, 0), maxOpenFileCount: limit)
    }

    private static func bootSeconds() -> Double? {
        lineOfFile("/proc/stat", prefix: "btime ").flatMap { Double($0) }
    }

    private static func openFileLimit() -> Double? {
        guard let word = lineOfFile("/proc/self/limits", prefix: "Max open files")?.split(separator: " ").first
        else { return nil }
        return word == "unlimited" ? .infinity : Double(word)
    }

    /// What follows the prefix in the first line that has it.
    private static func lineOfFile(_ path: String, prefix: String) -> Substring? {
        text(path)?.split(separator: "\n").first { $0.hasPrefix(prefix) }?.dropFirst(prefix.count)
    }

    private static func text(_ path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        return try? file.readToEnd().map { String(decoding: $0, as: UTF8.self) }
    }
}
