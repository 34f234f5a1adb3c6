import Foundation
import Host
import Kernels
import Synchronization
import TestSupport
import Testing

@testable import Checkpoint

/// Loading takes little more memory than the packed weights: the checkpoint's pages are let go of on the way.
@Suite(.serialized) struct PackingMemoryTests {
    @Test func `packing takes no more than the packed weights and a little`() async {
        await #expect(processExitsWith: .success) { try PackingMemory().check(usingCache: false) }
    }

    @Test func `reading the cache takes no more than the packed weights and a little`() async {
        await #expect(processExitsWith: .success) { try PackingMemory().check(usingCache: true) }
    }
}

/// Loads a model of some hundred megabytes in this process and looks at what it took.
private struct PackingMemory {
    private static let hidden = 2048
    private static let feedForward = 8192
    private static let layerCount = 3

    struct Failure: Error {
        let message: String
    }

    /// What may be added to a tenth of the packed weights, which is far less than all of the checkpoint's pages.
    private static let allowance = 48 << 20

    func check(usingCache: Bool) throws {
        let directory = try TemporaryDirectory()
        let path = try writeModel(directory)
        let settings = PackedCache.Settings(directory: directory.url.appendingPathComponent("cache").path)
        let before = try peakByteCount()
        var packedByteCount = try load(path, settings)
        for inPlace in usingCache ? [false, true] : [] {
            // The peak of this process includes the first time, so the second may add nothing but its own weights.
            let first = try peakByteCount()
            packedByteCount = try load(path, settings, mustRead: true, inPlace: inPlace)
            guard try peakByteCount() - first < Self.allowance else {
                throw Failure(message: "reading the cache took \(try peakByteCount() - first) bytes more than packing")
            }
        }
        let taken = try peakByteCount() - before
        guard packedByteCount > 200 << 20, taken < packedByteCount + packedByteCount / 10 + Self.allowance else {
            throw Failure(message: "\(taken) bytes were taken for \(packedByteCount) bytes of packed weights")
        }
    }

    private func load(
        _ path: String, _ settings: PackedCache.Settings, mustRead: Bool = false, inPlace: Bool = false
    ) throws -> Int {
        let hasMoved = Mutex(false)
        let cache = PackedCache(settings) { event in
            if case .moved = event { hasMoved.withLock { $0 = true } }
        }
        let pool = try ComputePool(threadCount: 2)
        let checkpoint = try Checkpoint.open(path)
        let model = cache.model(try checkpoint.fingerprint())
        var contents: [PackedContent] = []
        for part in [.embedding] + (0..<Self.layerCount).map({ PackedPart.layer($0) }) + [.head] {
            let plan = try checkpoint.packedPlan(of: part)
            let content: PackedContent
            if let found = try model.load(plan, pool: pool, inPlace: inPlace) {
                content = found
            } else {
                content = try PackedContent(plan)
                guard !mustRead else { throw Failure(message: "\(part) was not in the cache") }
                model.write(content, source: try content.pack(pool: pool))
            }
            contents.append(content)
        }
        model.startMoving()
        cache.finishWriting(withinSeconds: 60)
        while inPlace, !hasMoved.withLock({ $0 }) { usleep(1000) }
        return contents.reduce(0) { $0 + $1.plan.byteCount }
    }

    /// A GGUF whose weights are a hole in the file: they read as zeros, and their pages count like any other.
    private func writeModel(_ directory: TemporaryDirectory) throws -> String {
        var builder = GGUFBuilder()
        builder.set("general.architecture", "phi3")
        builder.set("phi3.context_length", 128)
        builder.set("phi3.embedding_length", UInt32(Self.hidden))
        builder.set("phi3.feed_forward_length", UInt32(Self.feedForward))
        builder.set("phi3.block_count", UInt32(Self.layerCount))
        builder.set("phi3.attention.head_count", 16)
        builder.set("phi3.attention.head_count_kv", 16)
        builder.set("phi3.attention.layer_norm_rms_epsilon", float: 1e-5)
        builder.set("phi3.rope.dimension_count", UInt32(Self.hidden / 16))
        var offset = 0
        func add(_ name: String, _ extents: [Int], type: TensorType = .q8x0) throws {
            builder.info(name, extents.map(UInt64.init), type: type.rawValue, offset: UInt64(offset))
            let rowByteCount = try #require(type.rowByteCount(columns: extents[0]))
            let byteCount = rowByteCount * extents.dropFirst().reduce(1, *)
            offset += (byteCount + 31) / 32 * 32
        }
        try add("token_embd.weight", [Self.hidden, 4096])
        for layer in 0..<Self.layerCount {
            let block = "blk.\(layer)."
            try add(block + "attn_norm.weight", [Self.hidden], type: .f32)
            try add(block + "ffn_norm.weight", [Self.hidden], type: .f32)
            try add(block + "attn_output.weight", [Self.hidden, Self.hidden])
            try add(block + "ffn_down.weight", [Self.feedForward, Self.hidden])
            try add(block + "attn_qkv.weight", [Self.hidden, 3 * Self.hidden])
            try add(block + "ffn_up.weight", [Self.hidden, 2 * Self.feedForward])
        }
        try add("output_norm.weight", [Self.hidden], type: .f32)
        try add("output.weight", [Self.hidden, 4096])
        let path = try builder.write(to: directory)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: file.seekToEnd() + UInt64(offset))
        try file.close()
        return path
    }

    private func peakByteCount() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = Int(line.split(whereSeparator: \.isWhitespace)[1])
        else { throw Failure(message: "no VmHWM in /proc/self/status") }
        return kibibytes * 1024
    }
}
