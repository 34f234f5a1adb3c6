import Foundation

/// The kernel's text files below `/proc` and `/sys`, or a copy of them below another root.
struct SystemFiles {
    let root: URL

    init(root: String) {
        self.root = URL(fileURLWithPath: root, isDirectory: true)
    }

    /// The text of a file, or nil; at most 1 MiB is read.
    func text(_ path: String) -> String? {
        guard let handle = FileHandle(forReadingAtPath: root.appendingPathComponent(path).path) else { return nil }
        defer { try? handle.close() }
        var data = Data()
        // Files of the kernel report no size and come in pieces.
        while data.count < 1 << 20, let piece = try? handle.read(upToCount: 1 << 16), !piece.isEmpty {
            data.append(piece)
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// The first word of a file as a number that is not negative; nil when it is another word, such as `max`.
    func number(_ path: String) -> Int? {
        guard let word = text(path)?.split(whereSeparator: \.isWhitespace).first, let value = Int(word), value >= 0
        else { return nil }
        return value
    }

    /// The lines "Name: 123 kB" of `/proc/meminfo`, in bytes.
    func memoryInfo(_ path: String = "proc/meminfo") -> [String: Int] {
        var values: [String: Int] = [:]
        for line in (text(path) ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let name = parts[0].split(separator: " ").last,
                let kibibytes = parts[1].split(separator: " ").first.flatMap({ Int($0) }),
                kibibytes >= 0, kibibytes <= Int.max / 1024
            else { continue }
            values[String(name)] = kibibytes * 1024
        }
        return values
    }

    /// The memory nodes; one that holds everything when the kernel lists none.
    func nodes(allowed: [Int], physicalByteCount: Int) -> [Machine.Node] {
        let folder = "sys/devices/system/node"
        let online = text(folder + "/online").map { Self.numberList($0) } ?? []
        let allowedSet = Set(allowed)
        let nodes = online.prefix(1024).compactMap { id -> Machine.Node? in
            guard let list = text("\(folder)/node\(id)/cpulist") else { return nil }
            return Machine.Node(
                id: id,
                cpus: Self.numberList(list).filter(allowedSet.contains),
                byteCount: memoryInfo("\(folder)/node\(id)/meminfo")["MemTotal"] ?? 0)
        }
        return nodes.isEmpty ? [Machine.Node(id: 0, cpus: allowed, byteCount: physicalByteCount)] : nodes
    }

    /// "model name" of `/proc/cpuinfo`, or its nearest relative on arm64.
    func cpuModel() -> String {
        for line in (text("proc/cpuinfo") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let key = parts[0].trimmingCharacters(in: .whitespaces)
            if key == "model name" || key == "Model" || key == "CPU part" {
                return parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        return "unknown"
    }

    /// Numbers and ranges as the kernel writes them, "0-3,8,10-11", ascending; anything else is left out.
    static func numberList(_ text: String) -> [Int] {
        var numbers: Set<Int> = []
        for part in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let ends = part.split(separator: "-", maxSplits: 1).map { Int($0) }
            guard let first = ends.first.flatMap({ $0 }), let last = ends.last.flatMap({ $0 }),
                first >= 0, last >= first, last < 1 << 17
            else { continue }
            numbers.formUnion(first...last)
        }
        return numbers.sorted()
    }
}
