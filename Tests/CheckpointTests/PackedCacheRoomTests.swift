import Foundation
import Glibc
import Host
import TestSupport
import Testing

@testable import Checkpoint

/// The cache takes what it may, and no more.
@Suite struct PackedCacheRoomTests {
    @Test func `without room on the disk nothing is written, and that is said once`() throws {
        let fixture = try PackedFixture()
        let plain = try fixture.load(nil)
        let events = PackedFixture.Events()
        // Enough for the files, but not for what must stay free.
        let loaded = try fixture.load(fixture.cache(events, freeByteCount: 1 << 30))
        #expect(loaded.bytes == plain.bytes)
        #expect(try fixture.names().isEmpty)
        #expect(events.all.count == 1 && events.unavailable.count == 1, "\(events.all)")
        #expect(events.unavailable.first?.contains("free") == true, "\(events.unavailable)")
    }

    @Test func `a disk that fills up while a part is written leaves no half file`() async {
        await #expect(processExitsWith: .success) {
            let fixture = try PackedFixture()
            // To this process the disk looks full after 100 kB of a file: room for the embedding, not for a layer.
            signal(SIGXFSZ, SIG_IGN)
            var limits = rlimit(rlim_cur: 100_000, rlim_max: 100_000)
            // The pointer is used during the call only.
            let status = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limits)
            try #require(status == 0)
            let events = PackedFixture.Events()
            let loaded = try fixture.load(fixture.cache(events))
            try #require(try loaded.bytes == fixture.load(nil).bytes)
            try #require(try fixture.names() == ["embedding.packed"])
            try #require(events.unavailable.count == 1 && events.unavailable[0].contains("make room"))
        }
    }

    @Test func `a limit that is too small for a part is said once`() throws {
        let fixture = try PackedFixture()
        let events = PackedFixture.Events()
        _ = try fixture.load(fixture.cache(events, byteLimit: 30_000))
        // The embedding fits.
        #expect(try fixture.names() == ["embedding.packed"])
        #expect(events.unavailable.count == 1 && events.unavailable[0].contains("--cache-limit"), "\(events.all)")
    }

    @Test(arguments: ["/proc/phalanx-test", "/dev/null/phalanx-test"])
    func `a place where nothing can be written is said once`(path: String) throws {
        let fixture = try PackedFixture()
        let events = PackedFixture.Events()
        let loaded = try fixture.load(fixture.cache(events, path: path))
        #expect(loaded.bytes == (try fixture.load(nil).bytes))
        #expect(events.all.count == 1 && events.unavailable.count == 1, "\(events.all)")
    }

    @Test func `what was used longest ago makes room`() throws {
        let directory = try TemporaryDirectory()
        let models = try (0..<4).map { try PackedFixture(seed: $0, name: "\($0).gguf", directory: directory) }
        let first = models[0]
        _ = try first.load(first.cache())
        let modelByteCount = try first.names().reduce(0) { sum, name in
            sum + (FileIdentity(of: try first.folder() + "/" + name)?.byteCount ?? 0)
        }
        let limit = modelByteCount * 5 / 2
        for model in models[1...] { _ = try model.load(model.cache(byteLimit: limit)) }
        // Two models fit, and half of a third.
        #expect(try models[3].names().count == 4 && models[2].names().count == 4)
        #expect(try models[0].names().isEmpty)

        // Reading is using: model 2 is older, but was read after 3 was written.
        #expect(try models[2].load(models[2].cache(byteLimit: limit)).readParts.count == 4)
        let events = PackedFixture.Events()
        _ = try models[0].load(models[0].cache(events, byteLimit: limit))
        #expect(try models[2].names().count == 4 && models[0].names().count == 4)
        #expect(try models[3].names().count < 4)
        #expect(events.unavailable.isEmpty)
    }

    @Test func `a model that is in use stays`() throws {
        let directory = try TemporaryDirectory()
        let used = try PackedFixture(seed: 0, name: "used.gguf", directory: directory)
        let other = try PackedFixture(seed: 1, name: "other.gguf", directory: directory)
        _ = try used.load(used.cache())
        let user = used.cache().model(try Checkpoint.open(used.modelPath).fingerprint())
        let events = PackedFixture.Events()
        _ = try other.load(other.cache(events, byteLimit: 1 << 20))
        withExtendedLifetime(user) {}
        #expect(try used.names().count == 4)
        #expect(events.unavailable.count == 1, "\(events.all)")
    }
}
