import Foundation
import Glibc
import Host
import TestSupport
import Testing

@Suite struct MappedFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func bytes(_ file: MappedFile, _ range: Range<Int>) throws -> [UInt8] {
        try file.withBytes(in: range) { span in
            unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
        }
    }

    @Test func `a file's bytes are read where they lie`() throws {
        let content = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let file = try MappedFile(path: directory.write(Data(content), to: "data"))
        #expect(file.byteCount == 10_000)
        #expect(try bytes(file, 0..<10_000) == content)
        #expect(try bytes(file, 4095..<4097) == Array(content[4095..<4097]))
        #expect(try bytes(file, 10_000..<10_000).isEmpty)
    }

    @Test func `an empty file is mapped as nothing`() throws {
        let file = try MappedFile(path: directory.write(Data(), to: "empty"))
        #expect(file.byteCount == 0)
        #expect(try bytes(file, 0..<0).isEmpty)
        #expect(throws: HostError.self) { try bytes(file, 0..<1) }
        file.adviseWillNeed(0..<100)
    }

    @Test func `a range outside the file is refused`() throws {
        let file = try MappedFile(path: directory.write("abc", to: "small"))
        for range in [0..<4, 3..<4, -1..<2, 100..<200, 0..<Int.max] {
            let error = #expect(throws: HostError.self) { try bytes(file, range) }
            #expect(error?.code == .outOfRange, "\(range)")
        }
    }

    @Test func `what is no file is refused with a reason`() throws {
        let missing = #expect(throws: HostError.self) { try MappedFile(path: directory.url.path + "/none") }
        #expect(missing?.code == .fileNotFound)
        let folder = #expect(throws: HostError.self) { try MappedFile(path: directory.url.path) }
        #expect(folder?.code == .notARegularFile)
        #expect(folder?.message.contains("directory") == true)
        let pipe = directory.url.appendingPathComponent("pipe").path
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        let refused = #expect(throws: HostError.self) { try MappedFile(path: pipe) }
        #expect(refused?.code == .notARegularFile)
    }

    @Test(.enabled(if: geteuid() != 0, "the superuser may read everything"))
    func `a file without permission is refused with a reason`() throws {
        let path = try directory.write("secret", to: "secret")
        #expect(unsafe chmod(path, 0) == 0)
        let error = #expect(throws: HostError.self) { try MappedFile(path: path) }
        #expect(error?.code == .permissionDenied)
    }

    @Test func `a changed file is noticed`() throws {
        let path = try directory.write("before", to: "file")
        let file = try MappedFile(path: path)
        try file.checkUnchanged()
        try Data("a longer text".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        let error = #expect(throws: HostError.self) { try file.checkUnchanged() }
        #expect(error?.code == .fileChanged)
        // Replaced by renaming, so the mapping keeps the old content.
        #expect(try bytes(file, 0..<6) == Array("before".utf8))
    }

    @Test func `advice for any range is harmless`() throws {
        let content = [UInt8](repeating: 7, count: 20_000)
        let file = try MappedFile(path: directory.write(Data(content), to: "data"))
        for range in [0..<20_000, 1..<2, 4097..<19_999, -5..<50_000, 30_000..<40_000, 5..<5] {
            file.adviseWillNeed(range)
            file.adviseDontNeed(range)
        }
        #expect(try bytes(file, 0..<20_000) == content)
    }
}
