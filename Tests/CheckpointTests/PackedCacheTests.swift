import Foundation
import Host
import Synchronization
import TestSupport
import Testing

@testable import Checkpoint

/// Packed weights come from the cache bit by bit as they were packed, or not at all.
@Suite struct PackedCacheTests {
    private let allFiles: Set<String> = ["embedding.packed", "layer-0000.packed", "layer-0001.packed", "head.packed"]

    @Test func `what is read has the bits of what was packed`() throws {
        let fixture = try PackedFixture()
        let plain = try fixture.load(nil)
        let first = try fixture.load(fixture.cache())
        #expect(first.readParts.isEmpty && first.bytes == plain.bytes)
        #expect(try fixture.names() == allFiles)
        let events = PackedFixture.Events()
        let second = try fixture.load(fixture.cache(events))
        #expect(second.readParts == Set(PackedFixture.parts) && second.comparedParts.isEmpty)
        #expect(second.bytes == plain.bytes)
        #expect(events.all.isEmpty)
    }

    @Test func `what is taken in place has the same bits, before and after it is moved`() async throws {
        let fixture = try PackedFixture()
        let plain = try fixture.load(fixture.cache())
        #expect(try fixture.load(fixture.cache(), inPlace: true) == fixture.load(fixture.cache()))
        let events = PackedFixture.Events()
        let checkpoint = try Checkpoint.open(fixture.modelPath)
        let model = fixture.cache(events).model(try checkpoint.fingerprint())
        let content = try #require(
            try model.load(checkpoint.packedPlan(of: .layer(0)), pool: fixture.pool, inPlace: true))
        model.startMoving()
        for _ in 0..<2000 where events.all.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        guard case .moved(let byteCount, _) = events.all.first else {
            Issue.record("not moved: \(events.all)")
            return
        }
        #expect(byteCount == content.plan.byteCount && events.all.count == 1)
        let after = content.buffer.withBytes { bytes in
            (0..<byteCount).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
        #expect(after == plain.bytes[.layer(0)])
        // The file is not needed any more.
        try Data().write(to: fixture.file(.layer(0)))
        #expect(content.buffer.withBytes { unsafe $0.unsafeLoad(fromByteOffset: 0, as: UInt8.self) } == after[0])
    }

    @Test func `another split uses the parts that are there`() throws {
        let fixture = try PackedFixture()
        _ = try fixture.load(fixture.cache(), parts: [.embedding, .layer(0)])
        let other = try fixture.load(fixture.cache(), parts: [.layer(0), .layer(1), .head])
        #expect(other.readParts == [.layer(0)])
        #expect(try fixture.load(fixture.cache()).readParts == Set(PackedFixture.parts))
    }

    /// The header's tests flip every one of its bytes; here some of each kind stand for all.
    @Test func `a flipped byte is noticed wherever it is, and the part packed anew`() throws {
        let fixture = try PackedFixture()
        let sound = try fixture.load(fixture.cache())
        let file = try fixture.file(.head)
        let bytes = try Data(contentsOf: file)
        let checkpoint = try Checkpoint.open(fixture.modelPath)
        let plan = try checkpoint.packedPlan(of: .head)
        let events = PackedFixture.Events()
        let model = fixture.cache(events).model(try checkpoint.fingerprint())
        let places = Array(stride(from: 0, to: bytes.count, by: 11)) + [bytes.count - 1]
        for place in places {
            var damaged = bytes
            damaged[place] ^= UInt8(1 << (place % 8))
            try damaged.write(to: file)
            // Copied and in place, in turn.
            let content = try model.load(plan, pool: fixture.pool, inPlace: place % 2 == 0)
            #expect(content == nil, "byte \(place)")
        }
        #expect(events.replaced.count == places.count)
        // The last one is still damaged.
        let again = PackedFixture.Events()
        let rebuilt = try fixture.load(fixture.cache(again))
        #expect(rebuilt.bytes == sound.bytes && rebuilt.readParts == Set(PackedFixture.parts).subtracting([.head]))
        #expect(again.replaced.count == 1)
        #expect(try Data(contentsOf: file) == bytes)
    }

    @Test func `a damaged block far into a large part is noticed`() throws {
        let fixture = try PackedFixture()
        let sound = try fixture.load(fixture.cache())
        let file = try fixture.file(.layer(1))
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 70_000] ^= 0x10
        try bytes.write(to: file)
        let events = PackedFixture.Events()
        let rebuilt = try fixture.load(fixture.cache(events))
        #expect(rebuilt.bytes == sound.bytes && !rebuilt.readParts.contains(.layer(1)))
        #expect(events.replaced.count == 1 && events.replaced[0].contains("damaged"), "\(events.replaced)")
        #expect(try fixture.load(fixture.cache()).readParts.contains(.layer(1)))
    }

    @Test func `a file of another size is not used`() throws {
        let fixture = try PackedFixture()
        let sound = try fixture.load(fixture.cache())
        let file = try fixture.file(.head)
        let bytes = try Data(contentsOf: file)
        for count in [0, 1, 15, 16, 100, 4095, 4096, 4097, bytes.count - 1] {
            try bytes.prefix(count).write(to: file)
            let events = PackedFixture.Events()
            #expect(try fixture.load(fixture.cache(events), parts: [.head]).bytes[.head] == sound.bytes[.head])
            #expect(events.replaced.count == 1, "\(count) bytes")
        }
        try (bytes + [0]).write(to: file)
        let events = PackedFixture.Events()
        #expect(try fixture.load(fixture.cache(events), parts: [.head]).readParts.isEmpty)
        #expect(events.replaced.count == 1)
    }

    @Test func `a file of another packing version or fingerprint is not used`() throws {
        let fixture = try PackedFixture()
        _ = try fixture.load(fixture.cache())
        let file = try fixture.file(.head)
        let bytes = try Data(contentsOf: file)
        let sound = try PackedHeader(parsing: Array(bytes.prefix(4096)), fileByteCount: bytes.count)
        var changes: [(String, PackedHeader)] = []
        for word in ["version", "name", "shapes"] {
            var header = sound
            switch word {
            case "version": header.packingVersion += 1
            case "name": header.fingerprint = String(repeating: "0", count: 64)
            default: header.sections.removeLast()
            }
            changes.append((word, header))
        }
        for (word, header) in changes {
            try (Data(header.encoded()) + bytes.dropFirst(4096)).write(to: file)
            let events = PackedFixture.Events()
            #expect(try fixture.load(fixture.cache(events), parts: [.head]).readParts.isEmpty)
            #expect(events.replaced.count == 1 && events.replaced[0].contains(word), "\(events.replaced)")
            #expect(try fixture.load(fixture.cache(), parts: [.head]).readParts == [.head])
        }
    }

    @Test func `a checkpoint that only looks new is compared once`() throws {
        let fixture = try PackedFixture()
        let sound = try fixture.load(fixture.cache())
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: fixture.modelPath)
        let touched = try fixture.load(fixture.cache())
        #expect(touched.comparedParts == Set(PackedFixture.parts) && touched.readParts == Set(PackedFixture.parts))
        let after = try fixture.load(fixture.cache())
        #expect(after.comparedParts.isEmpty && after.bytes == sound.bytes)
    }

    @Test func `a change of weights that the fingerprint does not see is noticed`() throws {
        let fixture = try PackedFixture()
        let sound = try fixture.load(fixture.cache())
        let checkpoint = try Checkpoint.open(fixture.modelPath)
        let before = try checkpoint.fingerprint()
        let slice = try #require(try checkpoint.tensor(.layer(1, .gateUp)).slices.first)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: fixture.modelPath))
        // Samples are taken at the ends and at 65ths of the tensor; this is between two.
        bytes[slice.range.lowerBound + slice.byteCount / 65 * 10 + 3000] ^= 0x20
        // In place of the old file, as one should.
        try bytes.write(to: URL(fileURLWithPath: fixture.modelPath), options: .atomic)
        try #require(try Checkpoint.open(fixture.modelPath).fingerprint() == before)

        let events = PackedFixture.Events()
        let changed = try fixture.load(fixture.cache(events))
        #expect(changed.readParts == Set(PackedFixture.parts).subtracting([.layer(1)]))
        #expect(changed.bytes == (try fixture.load(nil).bytes) && changed.bytes != sound.bytes)
        #expect(events.replaced.count == 1 && events.replaced[0].contains("other weights"), "\(events.replaced)")
        #expect(try fixture.load(fixture.cache()).bytes == changed.bytes)
    }

    @Test func `a fingerprint is remembered while the files are the same`() throws {
        let fixture = try PackedFixture()
        let real = try Checkpoint.open(fixture.modelPath).fingerprint()
        let folder = fixture.cachePath + "/fingerprints"
        func remembered() throws -> String {
            try Checkpoint.open(fixture.modelPath).fingerprint(rememberedIn: fixture.cachePath)
        }
        #expect(try remembered() == real)
        let name = try #require(Folder.names(in: folder).first)
        let file = URL(fileURLWithPath: folder + "/" + name)
        let text = try Data(contentsOf: file)
        // Damaged or cut off, it is not believed, and mended.
        for place in [0, 63, 64, 100, text.count - 1] {
            var damaged = text
            damaged[place] = damaged[place] == 0x30 ? 0x31 : 0x30
            try damaged.write(to: file)
            #expect(try remembered() == real)
            #expect(try Data(contentsOf: file) == text, "byte \(place)")
        }
        try Data().write(to: file)
        #expect(try remembered() == real)
        // Another model at the same place.
        let other = try PackedFixture(seed: 1, directory: fixture.directory)
        #expect(try remembered() == Checkpoint.open(other.modelPath).fingerprint() && remembered() != real)
        // Nowhere to remember it.
        #expect(
            try Checkpoint.open(fixture.modelPath).fingerprint(rememberedIn: "/dev/null/cache") == remembered())
    }

    @Test func `what a killed writer left is cleared away, what a living one writes is not`() throws {
        let fixture = try PackedFixture()
        _ = try fixture.load(fixture.cache(), parts: [.embedding])
        let folder = try fixture.folder()
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: folder + "/.writing-1-1"))
        let living = try DataFile(creating: folder + "/.writing-2-2")
        #expect(living.tryLock())
        let loaded = try fixture.load(fixture.cache(), parts: [.embedding, .head])
        #expect(loaded.readParts == [.embedding])
        #expect(try fixture.names() == ["embedding.packed", "head.packed", ".writing-2-2"])
        withExtendedLifetime(living) {}
    }

    @Test func `two that load at once write whole files`() async throws {
        let fixture = try PackedFixture()
        let plain = try fixture.load(nil)
        try await withThrowingTaskGroup(of: PackedFixture.Outcome.self) { group in
            for _ in 0..<4 { group.addTask { try fixture.load(fixture.cache()) } }
            for try await outcome in group { #expect(outcome.bytes == plain.bytes) }
        }
        #expect(try fixture.names() == allFiles)
        let after = try fixture.load(fixture.cache())
        #expect(after.readParts == Set(PackedFixture.parts) && after.bytes == plain.bytes)
    }

    @Test func `weights that wait to be written are let go of`() throws {
        let fixture = try PackedFixture()
        let cache = fixture.cache()
        let checkpoint = try Checkpoint.open(fixture.modelPath)
        let model = cache.model(try checkpoint.fingerprint())
        weak var buffer: HugeBuffer?
        model.cancel()
        do {
            let content = try PackedContent(checkpoint.packedPlan(of: .head))
            buffer = content.buffer
            model.write(content, source: try content.pack(pool: fixture.pool))
        }
        #expect(buffer == nil)
        #expect(try fixture.names().isEmpty)
    }
}
