import Checkpoint
import Foundation
import Host
import TestSupport
import Testing

@Suite struct CheckpointGGUFTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ builder: GGUFBuilder) throws -> Checkpoint {
        try Checkpoint.open(builder.write(to: directory))
    }

    private func refusal(_ builder: GGUFBuilder) throws -> CheckpointError {
        try #require(#expect(throws: CheckpointError.self) { try open(builder) })
    }

    @Test func `a fused model gives every tensor by its role`() throws {
        var builder = GGUFBuilder.tiny()
        builder.addTinyTensors()
        builder.set("phalanx.model_card", "# Tiny")
        builder.set("general.license", "mit")
        let model = try open(builder)
        #expect(model.name == "Tiny" && model.format == .gguf && model.hasWeights)
        #expect(model.modelCard == "# Tiny")
        #expect(model.license == "mit")
        #expect(model.configuration.headDimension == 4 && model.configuration.vocabularySize == 12)
        #expect(!model.configuration.tiedEmbeddings && model.configuration.slidingWindow == nil)
        let qkv = try model.tensor(.layer(0, .qkv))
        #expect(qkv.rows == 16 && qkv.columns == 8 && qkv.slices.count == 1 && qkv.type == .f32)
        #expect(try qkv.floats() == (0..<128).map(Float.init))
        #expect(try model.tensor(.layer(0, .gateUp)).rows == 32)
        #expect(try model.outputHead().role == .output)
        #expect(model.layerByteCount(0) == 4 * (8 + 8 + 64 + 128 + 128 + 256))
        #expect(model.embeddingByteCount == 4 * 96 && model.headByteCount == 4 * 104)
        #expect(model.parameterCount == model.weightByteCount / 4)
        #expect(throws: CheckpointError.self) { try model.tensor(.layer(1, .qkv)) }
    }

    @Test func `a split model stacks the rows of its parts`() throws {
        var builder = GGUFBuilder.tiny()
        builder.addTinyTensors(fused: false, tied: true)
        let model = try open(builder)
        #expect(model.configuration.tiedEmbeddings)
        #expect(try model.outputHead().role == .tokenEmbedding)
        #expect(model.tensorIfPresent(.output) == nil)
        let qkv = try model.tensor(.layer(0, .qkv))
        #expect(qkv.slices.map(\.name) == ["blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"])
        let rows = try qkv.floats()
        #expect(rows.count == 128 && rows[64] == 1000 && rows[96] == 2000)
        let gateUp = try model.tensor(.layer(0, .gateUp))
        #expect(gateUp.slices.map(\.rows) == [16, 16])
        #expect(try gateUp.floats()[128] == 1000)
        let slice = qkv.slices[1].rows(1..<3)
        #expect(try slice.withBytes { unsafe $0.unsafeLoad(as: Float.self) } == 1008)
        #expect(slice.byteCount == 64)
    }

    @Test func `a tensor of the wrong shape is named with both shapes`() throws {
        var builder = GGUFBuilder.tiny(layers: 2)
        builder.addTinyTensors()
        #expect(try refusal(builder).message.contains("blk.1.attn_norm.weight"))
        builder = GGUFBuilder.tiny()
        builder.floats("token_embd.weight", [4, 12])
        let message = try refusal(builder).message
        #expect(message.contains("token_embd.weight") && message.contains("[12, 4]") && message.contains("[12, 8]"))
    }

    @Test func `a vocabulary without weights opens`() throws {
        var builder = GGUFBuilder.tiny()
        builder.set("tokenizer.ggml.model", "llama")
        builder.set("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", "<|endoftext|>", "<|end|>", "<|assistant|>"])
        builder.set("tokenizer.ggml.token_type", [Int32(2), 3, 3, 3, 4, 3])
        builder.set("tokenizer.ggml.eos_token_id", 2)
        builder.set("tokenizer.ggml.bos_token_id", 1)
        let model = try open(builder)
        #expect(!model.hasWeights)
        #expect(model.configuration.vocabularySize == 6)
        #expect(model.configuration.endOfSequenceIDs == [2, 3, 4, 5])
        #expect(model.configuration.beginOfSequenceID == 1 && model.configuration.addsBeginOfSequence)
        let error = #expect(throws: CheckpointError.self) { try model.tensor(.tokenEmbedding) }
        #expect(error?.message.contains("no weights") == true)
    }

    @Test func `text that looks like an end token but is ordinary ends nothing`() throws {
        var builder = GGUFBuilder.tiny()
        builder.set("tokenizer.ggml.model", "gpt2")
        builder.set("tokenizer.ggml.tokens", ["<|end|>", "<|im_end|>", "<|assistant|>"])
        builder.set("tokenizer.ggml.token_type", [Int32(1), 3, 3])
        #expect(try open(builder).configuration.endOfSequenceIDs == [1])
        #expect(try !open(builder).configuration.addsBeginOfSequence)
    }

    @Test func `a token written as -1 is absent`() throws {
        var builder = GGUFBuilder.tiny()
        builder.set("tokenizer.ggml.bos_token_id", UInt32.max)
        builder.raw("tokenizer.ggml.eos_token_id", type: 5, GGUFBuilder.little(Int32(-1)))
        builder.addTinyTensors()
        let model = try open(builder).configuration
        #expect(model.beginOfSequenceID == nil && model.endOfSequenceIDs.isEmpty)
    }

    @Test func `long factors and the attention factor are read`() throws {
        var builder = GGUFBuilder.tiny()
        builder.set("phi3.rope.scaling.original_context_length", 64)
        builder.addTinyTensors()
        builder.floats("rope_factors_long.weight", [2]) { Float($0 + 2) }
        #expect(try refusal(builder).message.contains("rope_factors_short.weight"))
        builder.floats("rope_factors_short.weight", [2]) { Float($0 + 1) }
        let rope = try #require(try open(builder).configuration.longRope)
        #expect(rope.longFactors == [2, 3] && rope.shortFactors == [1, 2])
        let expected = Float((1 + log(2.0) / log(64.0)).squareRoot())
        #expect(rope.attentionFactor == expected)
        builder.set("phi3.rope.scaling.attn_factor", float: 1.25)
        #expect(try open(builder).configuration.longRope?.attentionFactor == 1.25)
    }

    @Test(
        arguments: [
            ("general.architecture", nil), ("phi3.embedding_length", 0), ("phi3.embedding_length", 70_000),
            ("phi3.embedding_length", 7), ("phi3.block_count", 0), ("phi3.block_count", 5000),
            ("phi3.attention.head_count", 0), ("phi3.attention.head_count_kv", 3), ("phi3.context_length", nil),
            ("phi3.attention.layer_norm_rms_epsilon", nil), ("phi3.rope.dimension_count", 3),
            ("phi3.rope.dimension_count", 6), ("phi3.attention.sliding_window", UInt32.max),
            ("tokenizer.ggml.bos_token_id", 12), ("tokenizer.ggml.eos_token_id", 4000), ("phi3.expert_count", 16),
        ] as [(String, UInt32?)])
    func `a broken hyperparameter is refused`(key: String, value: UInt32?) throws {
        var builder = GGUFBuilder()
        let sound: [(String, UInt32)] = [
            ("phi3.context_length", 128), ("phi3.embedding_length", 8), ("phi3.feed_forward_length", 16),
            ("phi3.block_count", 1), ("phi3.attention.head_count", 2), ("phi3.attention.head_count_kv", 1),
            ("phi3.rope.dimension_count", 4),
        ]
        if key != "general.architecture" { builder.set("general.architecture", "phi3") }
        if key != "phi3.attention.layer_norm_rms_epsilon" {
            builder.set("phi3.attention.layer_norm_rms_epsilon", float: 1e-5)
        }
        for (name, number) in sound where name != key { builder.set(name, number) }
        if let value { builder.set(key, value) }
        builder.addTinyTensors()
        let error = try refusal(builder)
        #expect(error.code != .notFound && error.message.count > 20, "\(error)")
    }

    @Test func `other architectures are named as not supported yet`() throws {
        for name in ["llama", "phi2", "phimoe", "clip"] {
            var builder = GGUFBuilder()
            builder.set("general.architecture", name)
            let error = try refusal(builder)
            #expect(error.code == .unsupported && error.message.contains("'\(name)' is not supported yet"))
        }
    }

    @Test func `a model in several files is put together`() throws {
        var first = GGUFBuilder.tiny()
        first.raw("split.no", type: 2, [0, 0])
        first.raw("split.count", type: 2, [2, 0])
        first.raw("split.tensors.count", type: 5, GGUFBuilder.little(Int32(9)))
        first.floats("token_embd.weight", [8, 12])
        var second = GGUFBuilder()
        second.raw("split.no", type: 2, [1, 0])
        second.raw("split.count", type: 2, [2, 0])
        var rest = GGUFBuilder()
        rest.addTinyTensors()
        second.raw("split.tensors.count", type: 5, GGUFBuilder.little(Int32(9)))
        for (name, extents) in [
            ("blk.0.attn_norm.weight", [8]), ("blk.0.ffn_norm.weight", [8]), ("blk.0.attn_output.weight", [8, 8]),
            ("blk.0.ffn_down.weight", [16, 8]), ("blk.0.attn_qkv.weight", [8, 16]), ("blk.0.ffn_up.weight", [8, 32]),
            ("output_norm.weight", [8]), ("output.weight", [8, 12]),
        ] { second.floats(name, extents) }
        let path = try first.write(to: directory, "m-00001-of-00002.gguf")
        #expect(throws: CheckpointError.self) { try Checkpoint.open(path) }
        let other = try second.write(to: directory, "m-00002-of-00002.gguf")
        for name in [path, other, directory.url.path] {
            let model = try Checkpoint.open(name)
            #expect(model.tensors.count == 9 && model.name == "Tiny", "\(name)")
        }
        let renamed = try first.write(to: directory, "renamed.gguf")
        let error = #expect(throws: CheckpointError.self) { try Checkpoint.open(renamed) }
        #expect(error?.message.contains("-00001-of-00002.gguf") == true)
    }

    @Test func `the fingerprint follows the content and not the name`() throws {
        var builder = GGUFBuilder.tiny()
        builder.addTinyTensors()
        let first = try Checkpoint.open(builder.write(to: directory, "a.gguf")).fingerprint()
        #expect(first.count == 64)
        #expect(try Checkpoint.open(builder.write(to: directory, "b.gguf")).fingerprint() == first)
        var bytes = builder.bytes()
        bytes[bytes.count - 1] ^= 1
        let changed = try directory.write(Data(bytes), to: "c.gguf")
        #expect(try Checkpoint.open(changed).fingerprint() != first)
    }

    @Test func `a path that leads to no model says what to name`() throws {
        let nothing = #expect(throws: CheckpointError.self) { try Checkpoint.open(directory.url.path + "/none") }
        #expect(nothing?.code == .notFound)
        #expect(throws: CheckpointError.self) { try Checkpoint.open("") }
        let empty = #expect(throws: CheckpointError.self) { try Checkpoint.open(directory.url.path) }
        #expect(empty?.message.contains("config.json") == true)
        var builder = GGUFBuilder.tiny()
        builder.addTinyTensors()
        _ = try builder.write(to: directory, "a.gguf")
        #expect(try Checkpoint.open(directory.url.path).name == "Tiny")
        _ = try builder.write(to: directory, "b.gguf")
        let several = #expect(throws: CheckpointError.self) { try Checkpoint.open(directory.url.path) }
        #expect(several?.message.contains("a.gguf, b.gguf") == true)
    }
}
