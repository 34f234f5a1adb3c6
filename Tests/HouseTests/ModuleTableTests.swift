import Foundation
import TestSupport
import Testing

/// The import lines of every module, held against the table in `Sources/README.md`.
@Suite struct ModuleTableTests {
    @Test func `every module is in the table and every row has its folder`() throws {
        let table = try ModuleTable.read()
        let folders = try FileManager.default
            .contentsOfDirectory(at: Repository.sources, includingPropertiesForKeys: [.isDirectoryKey])
            .filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
            .map(\.lastPathComponent)
        #expect(Set(folders) == Set(table.rows.keys))
    }

    @Test func `a module imports only what its row allows`() throws {
        let table = try ModuleTable.read()
        for (module, row) in table.rows {
            for file in try Repository.files(below: Repository.sources.appendingPathComponent(module), ["swift"]) {
                for (number, imported) in try ImportLine.all(in: file) where table.rows[imported] != nil {
                    #expect(
                        row.allowsEverything || row.imports.contains(imported),
                        "\(file.lastPathComponent):\(number): \(module) must not import \(imported)")
                }
            }
        }
    }

    @Test func `imports only point to lower floors`() throws {
        let table = try ModuleTable.read()
        for (module, row) in table.rows {
            for imported in row.imports {
                let floor = try #require(table.rows[imported]?.floor, "\(module) lists unknown module \(imported)")
                #expect(floor < row.floor, "\(module) (floor \(row.floor)) imports \(imported) (floor \(floor))")
            }
        }
    }

    @Test func `the pure cores read no clock, start no task and draw no random numbers`() throws {
        let forbidden = [
            "Task {", "Task.detached", "Date()", "ContinuousClock", "SuspendingClock", ".random(", "DispatchQueue",
            "SystemRandomNumberGenerator", "clock_gettime", "FileManager", "Thread(",
        ]
        for module in ["Cluster", "Scheduling", "HTTP2", "Grammar"] {
            for file in try Repository.files(below: Repository.sources.appendingPathComponent(module), ["swift"]) {
                let text = try String(contentsOf: file, encoding: .utf8)
                for word in forbidden {
                    #expect(!text.contains(word), "\(module)/\(file.lastPathComponent) uses \(word)")
                }
            }
        }
    }
}
