import Foundation
import TestSupport
import Testing

@testable import Host

@Suite struct NewFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private var path: String { directory.url.appendingPathComponent("new").path }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.url.path)
    }

    /// Without a name until the end, and with a temporary one, as on file systems that know no other way.
    private func reserve(_ mayBeUnnamed: Bool, byteCount: Int, replacesExisting: Bool = false) throws -> NewFile {
        try NewFile(
            path: path, byteCount: byteCount, replacesExisting: replacesExisting, mayBeUnnamed: mayBeUnnamed)
    }

    private func write(_ text: String, to file: NewFile, at offset: Int = 0) throws {
        let bytes = Array(text.utf8)
        try unsafe file.write(bytes.span.bytes, at: offset)
    }

    @Test(arguments: [true, false])
    func `a file appears when it is committed, with what was written in any order`(isUnnamed: Bool) throws {
        let file = try reserve(isUnnamed, byteCount: 12)
        try write("world", to: file, at: 7)
        try write("Hello, ", to: file)
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(try names().count == (isUnnamed ? 0 : 1))
        try file.commit()
        #expect(try names() == ["new"])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "Hello, world")
    }

    @Test func `what is not written is zero`() throws {
        let file = try NewFile(path: path, byteCount: 3)
        try file.commit()
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([0, 0, 0]))
    }

    @Test(arguments: [true, false])
    func `nothing is left of a file that is given up`(isUnnamed: Bool) throws {
        do {
            let file = try reserve(isUnnamed, byteCount: 1 << 20)
            try write("half", to: file)
        }
        #expect(try names().isEmpty)
        let file = try reserve(isUnnamed, byteCount: 10)
        file.discard()
        file.discard()
        #expect(try names().isEmpty)
    }

    @Test(arguments: [true, false])
    func `a file that exists is kept, or replaced when that is allowed`(isUnnamed: Bool) throws {
        try directory.write("old", to: "new")
        let refused = #expect(throws: HostError.self) { try reserve(isUnnamed, byteCount: 3) }
        #expect(refused?.code == .fileExists)
        let file = try reserve(isUnnamed, byteCount: 3, replacesExisting: true)
        try write("abc", to: file)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
        try file.commit()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "abc")
        #expect(try names() == ["new"])
    }

    @Test(arguments: [true, false])
    func `a file that appears meanwhile is not replaced`(isUnnamed: Bool) throws {
        let file = try reserve(isUnnamed, byteCount: 3)
        try directory.write("quicker", to: "new")
        let error = #expect(throws: HostError.self) { try file.commit() }
        #expect(error?.code == .fileExists)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "quicker")
        #expect(try names() == ["new"])
    }

    @Test(arguments: [true, false])
    func `a disk that is too small is refused at once`(isUnnamed: Bool) throws {
        let error = #expect(throws: HostError.self) { try reserve(isUnnamed, byteCount: 1 << 60) }
        #expect(error?.code == .noSpace)
        #expect(error?.message.contains("room") == true)
        #expect(try names().isEmpty)
    }

    @Test func `places where no file can be are refused`() throws {
        let missing = #expect(throws: HostError.self) { try NewFile(path: path + "/none/file", byteCount: 1) }
        #expect(missing?.code == .fileNotFound)
        let folder = #expect(throws: HostError.self) {
            try NewFile(path: directory.url.path, byteCount: 1, replacesExisting: true)
        }
        #expect(folder?.code == .notARegularFile)
        let device = #expect(throws: HostError.self) {
            try NewFile(path: "/dev/null", byteCount: 1, replacesExisting: true)
        }
        #expect(device?.code == .notARegularFile)
    }
}
