import Checkpoint
import Foundation
import Host
import TestSupport
import Testing
import Tokenization

@Suite struct GGUFWriterTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String = "out.gguf") -> String { directory.url.appendingPathComponent(name).path }

    private static let tensors = [
        GGUFTensorPlan(name: "first", type: .f32, dimensions: [3]),
        GGUFTensorPlan(name: "second", type: .q8x0, dimensions: [64, 5]),
        GGUFTensorPlan(name: "third", type: .f16, dimensions: [2, 3, 4]),
    ]

    private func bytes(_ file: GGUFFile, _ name: String) throws -> [UInt8] {
        let range = try #require(file.tensors[name]?.range)
        return try file.file.withBytes(in: range) { span in unsafe span.withUnsafeBytes { unsafe [UInt8]($0) } }
    }

    @Test func `what is written is what the reader finds`() throws {
        var metadata = GGUFMetadata()
        metadata.set("a.number", UInt32(7))
        metadata.set("a.float", Float(0.25))
        metadata.set("a.flag", true)
        metadata.set("a.text", "grüße")
        metadata.set("some.texts", [Array("one".utf8), [], [0xFF]])
        metadata.set("some.floats", [Float(1), -2.5])
        metadata.set("some.integers", [Int32(-1), 2, 3])
        metadata.set("a.number", UInt32(8))
        let contents = Self.tensors.map { plan in (0..<plan.byteCount).map { UInt8(truncatingIfNeeded: $0 &* 7) } }
        let writer = try GGUFWriter(path: path(), metadata: metadata, tensors: Self.tensors)
        for index in [2, 0, 1] {
            // In two parts, the later one first.
            let half = contents[index].count / 2
            let (low, high) = (Array(contents[index][..<half]), Array(contents[index][half...]))
            try unsafe writer.write(high.span.bytes, tensor: index, at: half)
            try unsafe writer.write(low.span.bytes, tensor: index, at: 0)
        }
        try writer.finish()

        let file = try GGUFFile(path: path())
        #expect(file.version == 3 && file.file.byteCount == writer.byteCount)
        #expect(file.tensorNames == ["first", "second", "third"])
        for (plan, content) in zip(Self.tensors, contents) {
            let tensor = try #require(file.tensors[plan.name])
            #expect(tensor.type == plan.type && tensor.dimensions == plan.dimensions)
            #expect(tensor.range.lowerBound % 32 == 0)
            #expect(try bytes(file, plan.name) == content)
        }
        #expect(try file.integer("a.number") == 8 && file.metadataEntries.last?.key == "a.number")
        #expect(try file.float("a.float") == 0.25 && file.bool("a.flag") == true && file.string("a.text") == "grüße")
        #expect(try file.byteStrings("some.texts") == [Array("one".utf8), [], [0xFF]])
        #expect(try file.floats("some.floats") == [1, -2.5] && file.integers("some.integers") == [-1, 2, 3])
    }

    @Test func `copied metadata are the same bytes, whatever their types`() throws {
        var builder = GGUFBuilder()
        builder.set("general.architecture", "phi3")
        builder.raw("odd.i8", type: 1, [0xFE])
        builder.raw("odd.u64", type: 10, GGUFBuilder.little(UInt64.max))
        builder.raw("odd.f64", type: 12, GGUFBuilder.little((0.1).bitPattern))
        builder.raw(
            "odd.nested", type: 9,
            GGUFBuilder.little(UInt32(9)) + GGUFBuilder.little(UInt64(1)) + GGUFBuilder.little(UInt32(0))
                + GGUFBuilder.little(UInt64(2)) + [1, 2])
        builder.set("general.alignment", 64)
        builder.floats("only", [4])
        builder.alignment = 64
        let original = try GGUFFile(path: builder.write(to: directory))
        let plan = GGUFTensorPlan(name: "only", type: .f32, dimensions: [4])
        let writer = try GGUFWriter(path: path(), metadata: GGUFMetadata(copying: original), tensors: [plan])
        let content = try bytes(original, "only")
        try unsafe writer.write(content.span.bytes, tensor: 0, at: 0)
        try writer.finish()
        // The writer pads the last tensor as well.
        let written = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path())))
        let expected = builder.bytes()
        #expect(Array(written.prefix(expected.count)) == expected)
        #expect(written.count % 64 == 0 && written.dropFirst(expected.count).allSatisfy { $0 == 0 })
    }

    @Test func `nothing remains of a file that is not finished, and a full disk is told at once`() throws {
        do { _ = try GGUFWriter(path: path(), metadata: GGUFMetadata(), tensors: Self.tensors) }
        let huge = GGUFTensorPlan(name: "huge", type: .f32, dimensions: [1 << 30, 1 << 28])
        let error = #expect(throws: CheckpointError.self) {
            try GGUFWriter(path: path(), metadata: GGUFMetadata(), tensors: [huge])
        }
        #expect(error?.message.contains("room") == true, "\(String(describing: error))")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path).isEmpty)
    }

    @Test func `an error while a tensor is made ends it and leaves nothing`() throws {
        let plan = GGUFTensorPlan(name: "matrix", type: .f32, dimensions: [1024, 9000])
        do {
            let writer = try GGUFWriter(path: path(), metadata: GGUFMetadata(), tensors: [plan])
            let pool = try ComputePool(threadCount: 2)
            let error = #expect(throws: CheckpointError.self) {
                try unsafe writer.fill(0, pool: pool, progress: { _ in }) { (rows, _) throws(CheckpointError) in
                    guard rows.contains(5000) else { return }
                    throw CheckpointError(code: .malformed, path: "here", message: "row 5000")
                }
            }
            #expect(error?.message == "row 5000")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path).isEmpty)
    }

    @Test func `tokenizer keys come back as they went`() throws {
        let tokens = ["<unk>", "<s>", "</s>", "▁a", "b"].map { Array($0.utf8) }
        let tokenizer = GGUFTokenizerMetadata(
            model: "llama", pre: "default", tokens: tokens, scores: [0, 0, 0, -1, -2], types: [2, 3, 3, 1, 1],
            bosID: 1, eosID: 2, unknownID: 0, padID: 2, addsBOS: true, addsEOS: false, chatTemplate: "{{ x }}")
        var metadata = GGUFMetadata()
        metadata.set(tokenizer)
        try GGUFWriter(path: path(), metadata: metadata, tensors: []).finish()
        let file = try GGUFFile(path: path())
        #expect(try file.string("tokenizer.ggml.model") == "llama")
        #expect(try file.byteStrings("tokenizer.ggml.tokens") == tokens)
        #expect(try file.tokenID("tokenizer.ggml.padding_token_id") == 2)
        #expect(try file.bool("tokenizer.ggml.add_bos_token") == true)
        #expect(file.metadata["tokenizer.ggml.merges"] == nil)
    }
}
