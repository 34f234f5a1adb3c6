import Checkpoint
import Foundation
import Host
import TestSupport
import Testing
import Tokenization

@Suite(.enabled(if: Fixtures.areHere, "\(Fixtures.reason)"))
struct FixtureCheckpointTests {
    private func open(_ name: String) throws -> Checkpoint {
        try Checkpoint.open(Fixtures.model(name).path)
    }

    @Test func `a GGUF file says the same about the model as its original`() throws {
        let pairs = [
            ("phi3-128k-like", "gguf-phi3-128k-like/phi-3-128k-like-F16.gguf"),
            ("phi4-mini-like", "gguf-phi4-mini-like/phi-4-mini-like-Q8_0.gguf"),
        ]
        for (original, converted) in pairs {
            let (original, converted) = (try open(original), try open(converted))
            #expect(original.configuration == converted.configuration)
            #expect(original.chatTemplate == converted.chatTemplate)
            #expect(original.parameterCount == converted.parameterCount)
            #expect(try original.tensor(.outputNorm).floats() == converted.tensor(.outputNorm).floats())
            #expect(try original.fingerprint() != converted.fingerprint())
        }
    }

    @Test func `the configurations are those of the models`() throws {
        let mini = try open("phi3-mini-like").configuration
        #expect(mini.hiddenSize == 128 && mini.headCount == 4 && mini.kvHeadCount == 4 && mini.layerCount == 3)
        #expect(mini.slidingWindow == 24 && mini.longRope == nil && mini.feedForwardSize == 256)
        #expect(mini.vocabularySize == 576 && mini.beginOfSequenceID == 1 && !mini.addsBeginOfSequence)
        #expect(mini.endOfSequenceIDs == [560, 561, 567])
        let medium = try open("phi3-medium-like")
        #expect(medium.configuration.kvHeadCount == 2 && medium.configuration.addsBeginOfSequence)
        #expect(medium.configuration.qkvRowCount == 384 && medium.tensors.count == 5 * 6 + 3)
        #expect(try medium.tensor(.layer(4, .ffnDown)).type == .bf16)
        let long = try open("phi3-128k-like").configuration
        #expect(long.headDimension == 20 && long.rotaryDimension == 20 && long.originalContextLength == 64)
        #expect(long.longRope?.shortFactors.first == 1.0112 && long.longRope?.longFactors.last == 26.5282)
        #expect(long.longRope?.attentionFactor == 1.2909944)
        let phi4 = try open("phi4-mini-like")
        #expect(phi4.configuration.rotaryDimension == 24 && phi4.configuration.headDimension == 32)
        #expect(phi4.configuration.tiedEmbeddings)
        #expect(try phi4.outputHead().role == .tokenEmbedding)
    }

    @Test(arguments: ["Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K"])
    func `every quantisation opens with its shapes`(name: String) throws {
        let model = try open("gguf-phi3-like/phi-3-like-\(name).gguf")
        #expect(model.configuration.hiddenSize == 256 && model.configuration.layerCount == 2)
        #expect(model.configuration.slidingWindow == 2047 && model.configuration.endOfSequenceIDs == [560, 561, 567])
        let up = try model.tensor(.layer(1, .gateUp))
        #expect(up.rows == 1024 && up.columns == 256)
        let type = try #require(up.type)
        #expect(name.hasPrefix(type.name))
        #expect(up.byteCount == 1024 * (try #require(type.rowByteCount(columns: 256))))
        #expect(model.weightByteCount <= 1_600_000)
    }

    @Test(arguments: ["F32", "F16", "BF16"])
    func `every float type opens and widens`(name: String) throws {
        let model = try open("gguf-phi3-float-like/phi-3-like-\(name).gguf")
        let values = try model.tensor(.layer(0, .attentionOutput)).floats()
        let reference = try open("gguf-phi3-float-like/phi-3-like-F32.gguf").tensor(.layer(0, .attentionOutput))
            .floats()
        #expect(values.count == 128 * 128)
        #expect(zip(values, reference).allSatisfy { abs($0 - $1) <= abs($1) / 128 + 1e-6 })
    }

    @Test func `without tokenizer.json the SentencePiece model serves`() throws {
        let source = try Fixtures.model("phi3-mini-like")
        let directory = try TemporaryDirectory()
        for name in [
            "config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.model", "added_tokens.json",
            "special_tokens_map.json",
        ] {
            try directory.write(Data(contentsOf: source.appendingPathComponent(name)), to: name)
        }
        let copy = try Checkpoint.open(directory.url.path)
        #expect(!copy.hasWeights)
        let (definition, original) = (try copy.tokenizerDefinition(), try open("phi3-mini-like").tokenizerDefinition())
        #expect(definition.content(of: 567) == "<|end|>" && definition.content(of: 300) == original.content(of: 300))
        #expect(definition.endOfSequenceIDs == original.endOfSequenceIDs)
    }

    @Test func `a mixture of experts is refused as not supported yet`() throws {
        let error = #expect(throws: CheckpointError.self) { try open("phimoe-like") }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("not supported yet") == true)
    }

    @Test func `a vocabulary-only file gives its tokenizer`() throws {
        let model = try Checkpoint.open(Fixtures.file("tokenizer/ggml-vocab-phi-3.gguf").path)
        #expect(!model.hasWeights && model.configuration.vocabularySize == 32_064)
        let tokenizer = try model.tokenizerDefinition()
        #expect(tokenizer.vocabularySize == 32_064)
        #expect(tokenizer.content(of: 32_007) == "<|end|>")
        #expect(tokenizer.endOfSequenceIDs.contains(32_007) && tokenizer.endOfSequenceIDs.contains(32_000))
    }

    @Test(arguments: ["phi3-mini-like", "phi3-medium-like", "gguf-phi3-like/phi-3-like-Q8_0.gguf"])
    func `a model gives its tokenizer`(name: String) throws {
        let model = try open(name)
        let tokenizer = try model.tokenizerDefinition()
        #expect(tokenizer.content(of: 567) == "<|end|>")
        #expect(tokenizer.addsBOS == model.configuration.addsBeginOfSequence)
        #expect(tokenizer.endOfSequenceIDs.contains(560) && tokenizer.endOfSequenceIDs.contains(567))
        #expect(tokenizer.chatTemplateText == model.chatTemplate)
    }

    @Test func `a truncated file is refused at every length`() throws {
        let directory = try TemporaryDirectory()
        let source = try Fixtures.model("gguf-phi3-like/phi-3-like-Q4_0.gguf")
        let bytes = try Data(contentsOf: source)
        for part in 0..<100 {
            let path = try directory.write(bytes.prefix(bytes.count * part / 100), to: "cut.gguf")
            #expect(throws: CheckpointError.self, "\(part)%") { try Checkpoint.open(path) }
        }
    }

    @Test func `a truncated shard is refused at every length`() throws {
        let directory = try TemporaryDirectory()
        let source = try Fixtures.model("phi3-mini-like")
        let bytes = try Data(contentsOf: source.appendingPathComponent("model.safetensors"))
        for name in ["config.json", "generation_config.json", "tokenizer_config.json"] {
            try directory.write(Data(contentsOf: source.appendingPathComponent(name)), to: name)
        }
        for part in 0..<100 {
            try directory.write(bytes.prefix(bytes.count * part / 100), to: "model.safetensors")
            #expect(throws: CheckpointError.self, "\(part)%") { try Checkpoint.open(directory.url.path) }
        }
        try directory.write(bytes, to: "model.safetensors")
        #expect(try Checkpoint.open(directory.url.path).hasWeights)
    }
}
