import Foundation
import Host
import TestSupport
import Testing

@testable import Checkpoint

/// What a checkpoint consists of, as another node is told.
@Suite struct WeightManifestTests {
    private let fixture: PackedFixture
    private let fingerprint: String

    init() throws {
        fixture = try PackedFixture()
        fingerprint = try Checkpoint.open(fixture.modelPath).fingerprint()
    }

    private func manifest(directory: String? = nil, hashed: (Int) -> Void = { _ in }) throws -> [UInt8] {
        try Checkpoint.open(fixture.modelPath).weightManifest(
            fingerprint: fingerprint, rememberedIn: directory
        ) { done, _ in hashed(done) }
    }

    @Test func `every weight is in a piece with its hash, and the header in one of its own`() throws {
        let encoded = try manifest()
        let manifest = try WeightManifest(encoded: encoded, fingerprint: fingerprint)
        #expect(try manifest.encoded() == encoded)
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: fixture.modelPath)))
        #expect(manifest.files == [.init(name: "model.gguf", byteCount: bytes.count)])
        for piece in manifest.pieces {
            var hash = ContentHash()
            hash.update(bytes[piece.range])
            #expect(hash.hexadecimal() == piece.hash)
        }
        let checkpoint = try Checkpoint.open(fixture.modelPath)
        for view in checkpoint.tensors {
            for slice in view.slices {
                let pieces = try #require(manifest.pieces(file: 0, range: slice.range), "\(view.role)")
                #expect(!pieces.isEmpty && manifest.pieces[pieces].allSatisfy { !$0.isDescription })
            }
        }
        #expect(manifest.pieces.first?.offset == 0 && manifest.pieces.first?.isDescription == true)
        // The range between two pieces is nobody's.
        #expect(manifest.pieces(file: 0, range: 1..<100) == nil)
        #expect(manifest.pieces(file: 1, range: 0..<100) == nil)
    }

    @Test func `hashes are remembered while the file is the same`() throws {
        let directory = fixture.directory.url.path
        var hashedByteCount = 0
        let first = try manifest(directory: directory) { hashedByteCount = $0 }
        #expect(hashedByteCount == (try WeightManifest(encoded: first, fingerprint: fingerprint)).byteCount)
        hashedByteCount = 0
        #expect(try manifest(directory: directory) { hashedByteCount = $0 } == first)
        #expect(hashedByteCount == 0)

        // What was remembered is damaged: it is no answer.
        let folder = directory + "/manifests"
        let name = try #require(Folder.names(in: folder).first)
        var memory = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
        memory[memory.count / 2] ^= 1
        try memory.write(to: URL(fileURLWithPath: folder + "/" + name))
        #expect(try manifest(directory: directory) { hashedByteCount = $0 } == first)
        #expect(hashedByteCount > 0)

        // A changed file has other hashes.
        var model = try Data(contentsOf: URL(fileURLWithPath: fixture.modelPath))
        model[model.count - 1] ^= 1
        try model.write(to: URL(fileURLWithPath: fixture.modelPath))
        #expect(try manifest(directory: directory) != first)
    }

    @Test(arguments: [
        #"{"name":"../evil","byteCount":8}"#, #"{"name":"a/b","byteCount":8}"#, #"{"name":"","byteCount":8}"#,
        #"{"name":"..","byteCount":8}"#, #"{"name":"a\u0000b","byteCount":8}"#, #"{"name":"a","byteCount":-1}"#,
        #"{"name":"a","byteCount":9000000000000000000}"#,
        #"{"name":"a","byteCount":8},{"name":"a","byteCount":8}"#,
    ])
    func `files that are none are refused`(file: String) {
        #expect(throws: CheckpointError.self) { try read(files: file, pieces: "") }
    }

    @Test(arguments: [
        (0, 0, 0), (0, 0, 9), (0, 1, 8), (0, -1, 4), (1, 0, 4), (-1, 0, 4), (0, Int.max, 4), (0, 0, Int.max),
        (0, Int.max, Int.max),
    ])
    func `pieces that cannot be are refused`(file: Int, offset: Int, byteCount: Int) {
        let file8 = #"{"name":"a","byteCount":8}"#
        #expect(throws: CheckpointError.self) {
            try read(files: file8, pieces: piece(file, offset, byteCount))
        }
    }

    @Test func `pieces that overlap, are out of order or have no hash are refused`() throws {
        let files = #"{"name":"a","byteCount":8},{"name":"b","byteCount":8}"#
        #expect(
            try read(files: files, pieces: "\(piece(0, 0, 4)),\(piece(0, 4, 4)),\(piece(1, 2, 2))").pieces.count == 3)
        for pieces in [
            "\(piece(0, 0, 4)),\(piece(0, 3, 4))", "\(piece(0, 4, 4)),\(piece(0, 0, 4))",
            "\(piece(1, 0, 4)),\(piece(0, 0, 4))", piece(0, 0, 4, hash: "abc"),
            piece(0, 0, 4, hash: String(repeating: "G", count: 64)),
        ] {
            #expect(throws: CheckpointError.self, "\(pieces)") { try read(files: files, pieces: pieces) }
        }
        #expect(throws: CheckpointError.self) { try WeightManifest(encoded: [], fingerprint: "f") }
        #expect(throws: CheckpointError.self) { try WeightManifest(encoded: try manifest(), fingerprint: "f") }
    }

    @Test(arguments: 0..<100)
    func `changed bytes are read or refused, never more`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var bytes = try manifest()
        for _ in 0...Int.random(in: 0..<4, using: &random) {
            let place = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[place] = Array("0123456789-,:{}[]\"eE.".utf8).randomElement(using: &random) ?? 0
            case 1: bytes.insert(Array("0123456789-".utf8).randomElement(using: &random) ?? 0, at: place)
            default: bytes.remove(at: place)
            }
        }
        do throws(CheckpointError) {
            let manifest = try WeightManifest(encoded: bytes, fingerprint: fingerprint)
            // What is believed can be used.
            #expect(manifest.byteCount <= manifest.files.reduce(0) { $0 + $1.byteCount }, "seed \(seed)")
        } catch {
            #expect(error.code == .malformed, "seed \(seed)")
        }
    }

    private func piece(_ file: Int, _ offset: Int, _ byteCount: Int, hash: String? = nil) -> String {
        let hash = hash ?? String(repeating: "a", count: 64)
        return
            #"{"file":\#(file),"offset":\#(offset),"byteCount":\#(byteCount),"hash":"\#(hash)","isDescription":true}"#
    }

    private func read(files: String, pieces: String) throws -> WeightManifest {
        let text = #"{"version":1,"fingerprint":"f","format":"gguf","files":[\#(files)],"pieces":[\#(pieces)]}"#
        return try WeightManifest(encoded: Array(text.utf8), fingerprint: "f")
    }
}
