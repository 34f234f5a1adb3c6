import Foundation
import TestSupport

/// The table of modules in `Sources/README.md`: `| floor | module | what it is | imports |`.
struct ModuleTable {
    struct Row {
        let floor: Int
        let imports: Set<String>
        let allowsEverything: Bool
    }

    let rows: [String: Row]

    static func read() throws -> ModuleTable {
        let text = try String(contentsOf: Repository.sources.appendingPathComponent("README.md"), encoding: .utf8)
        var rows: [String: Row] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("|") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4, let floor = Int(cells[0]) else { continue }
            let imports = names(in: cells[3])
            for module in names(in: cells[1]) {
                rows[module] = Row(floor: floor, imports: Set(imports), allowsEverything: cells[3] == "all")
            }
        }
        return ModuleTable(rows: rows)
    }

    /// The names in backquotes.
    private static func names(in cell: String) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }
            .map { String($0.element) }
    }
}

/// The import lines of a source file.
enum ImportLine {
    /// The line numbers and the modules that `file` imports.
    static func all(in file: URL) throws -> [(number: Int, module: String)] {
        let text = try String(contentsOf: file, encoding: .utf8)
        var found: [(number: Int, module: String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(separator: " ").map(String.init)
            guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count else { continue }
            let modifiers = words[..<keyword]
            guard modifiers.allSatisfy({ $0.hasPrefix("@") || Self.accessLevels.contains($0) }) else { continue }
            let kinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "typealias", "var", "let"]
            var name = words[keyword + 1]
            if kinds.contains(name), keyword + 2 < words.count { name = words[keyword + 2] }
            found.append((index + 1, String(name.split(separator: ".")[0])))
        }
        return found
    }

    private static let accessLevels: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
}
