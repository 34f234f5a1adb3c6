import Foundation
import Host
import Synchronization
import TestSupport

@testable import Checkpoint

/// A small model on disk and a cache beside it, loaded as a worker does.
struct PackedFixture {
    let directory: TemporaryDirectory
    let modelPath: String
    let pool: ComputePool

    /// What loading all parts gave.
    struct Outcome: Equatable {
        var bytes: [PackedPart: [UInt8]] = [:]
        var readParts: Set<PackedPart> = []
        var comparedParts: Set<PackedPart> = []
    }

    /// What a cache reported.
    final class Events: Sendable {
        private let events = Mutex<[PackedCache.Event]>([])

        var all: [PackedCache.Event] { events.withLock { $0 } }
        var replaced: [String] {
            all.compactMap { if case .replaced(_, let reason) = $0 { reason } else { nil } }
        }
        var unavailable: [String] {
            all.compactMap { if case .unavailable(let reason) = $0 { reason } else { nil } }
        }

        @Sendable func report(_ event: PackedCache.Event) { events.withLock { $0.append(event) } }
    }

    static let layerCount = 2
    private static let hidden = 64
    private static let feedForward = 1024
    private static let vocabulary = 40

    var cachePath: String { directory.url.appendingPathComponent("cache").path }

    init(seed: Int = 0, name: String = "model.gguf", directory: TemporaryDirectory? = nil) throws {
        self.directory = try directory ?? TemporaryDirectory()
        pool = try ComputePool(threadCount: 2)
        modelPath = try Self.builder(seed: seed).write(to: self.directory, name)
    }

    /// Large enough that the fingerprint samples the matrices, and does not read all of them.
    private static func builder(seed: Int) -> GGUFBuilder {
        var builder = GGUFBuilder()
        builder.set("general.architecture", "phi3")
        builder.set("general.name", "Packed \(seed)")
        builder.set("phi3.context_length", 128)
        builder.set("phi3.embedding_length", UInt32(hidden))
        builder.set("phi3.feed_forward_length", UInt32(feedForward))
        builder.set("phi3.block_count", UInt32(layerCount))
        builder.set("phi3.attention.head_count", 2)
        builder.set("phi3.attention.head_count_kv", 1)
        builder.set("phi3.attention.layer_norm_rms_epsilon", float: 1e-5)
        builder.set("phi3.rope.dimension_count", UInt32(hidden / 2))
        func add(_ name: String, _ extents: [Int], _ salt: Int) {
            builder.floats(name, extents) { Float(($0 * 7 + salt * 31 + seed * 101) % 997) / 512 }
        }
        add("token_embd.weight", [hidden, vocabulary], 1)
        for layer in 0..<layerCount {
            let block = "blk.\(layer)."
            add(block + "attn_norm.weight", [hidden], 10 * layer + 2)
            add(block + "ffn_norm.weight", [hidden], 10 * layer + 3)
            add(block + "attn_output.weight", [hidden, hidden], 10 * layer + 4)
            add(block + "ffn_down.weight", [feedForward, hidden], 10 * layer + 5)
            add(block + "attn_qkv.weight", [hidden, 2 * hidden], 10 * layer + 6)
            add(block + "ffn_up.weight", [hidden, 2 * feedForward], 10 * layer + 7)
        }
        add("output_norm.weight", [hidden], 8)
        add("output.weight", [hidden, vocabulary], 9)
        return builder
    }

    static let parts: [PackedPart] = [.embedding] + (0..<layerCount).map { .layer($0) } + [.head]

    /// A cache in the fixture's folder; `freeByteCount` stands for the disk's room.
    func cache(
        _ events: Events = Events(), path: String? = nil, byteLimit: Int = 1 << 30, freeByteCount: Int? = nil
    ) -> PackedCache {
        PackedCache(
            PackedCache.Settings(directory: path ?? cachePath, byteLimit: byteLimit), report: events.report
        ) { path throws(HostError) in
            // By default a large disk, so that the tests do not depend on the machine's.
            DiskSpace(byteCount: 1 << 40, availableByteCount: freeByteCount ?? 1 << 39)
        }
    }

    /// Loads parts as a worker does: reads what is there, packs and writes the rest, and waits until it is written.
    func load(_ cache: PackedCache?, parts: [PackedPart] = Self.parts, inPlace: Bool = false) throws -> Outcome {
        let checkpoint = try Checkpoint.open(modelPath)
        let model = cache?.model(try checkpoint.fingerprint())
        var outcome = Outcome()
        for part in parts {
            let plan = try checkpoint.packedPlan(of: part)
            let content: PackedContent
            if let found = try model?.load(
                plan, pool: pool, inPlace: inPlace, willCompare: { outcome.comparedParts.insert(part) })
            {
                content = found
                outcome.readParts.insert(part)
            } else {
                content = try PackedContent(plan)
                let source = try content.pack(pool: pool)
                model?.write(content, source: source)
            }
            outcome.bytes[part] = content.buffer.withBytes { bytes in
                (0..<content.plan.byteCount).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
            }
        }
        cache?.finishWriting(withinSeconds: 30)
        return outcome
    }

    /// The folder of the model's files in the cache.
    func folder() throws -> String {
        try cachePath + "/packed/" + Checkpoint.open(modelPath).fingerprint()
    }

    /// A part's file.
    func file(_ part: PackedPart) throws -> URL { URL(fileURLWithPath: try folder() + "/" + part.fileName) }

    /// All names in the model's folder of the cache.
    func names() throws -> Set<String> { Set(Folder.names(in: try folder())) }
}
