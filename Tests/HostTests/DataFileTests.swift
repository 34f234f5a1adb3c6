import Foundation
import Host
import TestSupport
import Testing

@Suite struct DataFileTests {
    private func text(_ file: DataFile, _ range: Range<Int>) throws -> String {
        var bytes = [UInt8](repeating: 0, count: range.count)
        // Filled whole, or an error is thrown.
        try unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0, at: range.lowerBound) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(_ text: String, to file: DataFile, at offset: Int) throws {
        let bytes = Array(text.utf8)
        try unsafe bytes.withUnsafeBytes { try unsafe file.write($0, at: offset) }
    }

    @Test func `what is written at a place is read there, and nothing beyond the end`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.url.appendingPathComponent("data").path
        let file = try DataFile(creating: path)
        try file.reserve(byteCount: 10)
        try write("world", to: file, at: 5)
        try write("hello", to: file, at: 0)
        file.startWriting(0..<10)
        try file.synchronize()
        let reader = try DataFile(reading: path)
        #expect(try reader.byteCount == 10)
        #expect(try text(reader, 0..<10) == "helloworld")
        #expect(try text(reader, 3..<7) == "lowo")
        #expect(throws: HostError.self) { try text(reader, 8..<11) }
        #expect(throws: HostError.self) { try DataFile(creating: path) }
        try file.move(to: path + "2")
        #expect(Set(Folder.names(in: directory.url.path)) == ["data2"])
        try DataFile(reading: path + "2").remove()
        #expect(throws: HostError.self) { try DataFile(reading: path + "2") }
        #expect(throws: HostError.self) { try DataFile(reading: directory.url.path) }
    }

    @Test func `a lock is granted when nobody holds one`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("x", to: "file")
        let first = try DataFile(reading: path)
        let second = try DataFile(reading: path)
        #expect(first.tryLock())
        #expect(!second.tryLock())
        first.unlock()
        second.lock(shared: true)
        #expect(!first.tryLock())
        second.unlock()
        #expect(first.tryLock())
    }

    @Test func `touching a file is a change of its time`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("x", to: "file")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: path)
        let before = try #require(FileIdentity(of: path))
        try DataFile(reading: path).touch()
        let after = try #require(FileIdentity(of: path))
        #expect(after.modificationNanoseconds > before.modificationNanoseconds && after.byteCount == 1)
        #expect(FileIdentity(of: directory.url.path) == nil)
    }

    @Test func `folders are made with those above, shared by many and held alone by one`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.url.appendingPathComponent("a/b/c").path
        #expect(DirectoryLock(path, shared: true, waits: false) == nil)
        try Folder.make(path)
        try Folder.make(path)
        do {
            let readers = [true, true].map { DirectoryLock(path, shared: $0, waits: false) }
            #expect(readers.allSatisfy { $0 != nil })
            #expect(DirectoryLock(path, shared: false, waits: false) == nil)
            withExtendedLifetime(readers) {}
        }
        let writer = DirectoryLock(path, shared: false, waits: false)
        #expect(writer != nil)
        #expect(DirectoryLock(path, shared: true, waits: false) == nil)
        withExtendedLifetime(writer) {}
        let file = try directory.write("x", to: "file")
        #expect(throws: HostError.self) { try Folder.make(file + "/below") }
    }

    @Test func `a file system has no more room than size`() throws {
        let space = try DiskSpace(at: "/")
        #expect(space.byteCount > 0 && (0...space.byteCount).contains(space.availableByteCount))
        #expect(throws: HostError.self) { try DiskSpace(at: "/nonexistent") }
    }

    @Test func `a background thread gives way to others`() async {
        let nice = await withCheckedContinuation { continuation in
            BackgroundThread.start("test") {
                continuation.resume(returning: getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0))
            }
        }
        #expect(nice >= 10)
    }
}
