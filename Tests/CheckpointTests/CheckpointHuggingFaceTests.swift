import Checkpoint
import Foundation
import Host
import TestSupport
import Testing

@Suite struct CheckpointHuggingFaceTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A sound `config.json` of a tiny model with some keys replaced; a nil value removes the key.
    private func configuration(_ changes: [String: String?] = [:]) -> String {
        var keys: [String: String] = [
            "model_type": "\"phi3\"", "hidden_size": "8", "num_attention_heads": "2", "num_key_value_heads": "1",
            "num_hidden_layers": "1", "intermediate_size": "16", "vocab_size": "12", "rms_norm_eps": "1e-05",
            "max_position_embeddings": "128", "original_max_position_embeddings": "64", "rope_theta": "10000.0",
            "sliding_window": "null", "rope_scaling": "null", "bos_token_id": "1", "eos_token_id": "2",
            "tie_word_embeddings": "false", "hidden_act": "\"silu\"",
        ]
        for (key, value) in changes { keys[key] = value }
        return "{" + keys.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
    }

    private func weights(names: (String) -> Bool = { _ in true }) -> SafetensorsBuilder {
        var builder = SafetensorsBuilder()
        let layer = "model.layers.0."
        for (name, shape) in [
            ("model.embed_tokens.weight", [12, 8]), ("lm_head.weight", [12, 8]), ("model.norm.weight", [8]),
            (layer + "input_layernorm.weight", [8]), (layer + "post_attention_layernorm.weight", [8]),
            (layer + "self_attn.qkv_proj.weight", [16, 8]), (layer + "self_attn.o_proj.weight", [8, 8]),
            (layer + "self_attn.q_proj.weight", [8, 8]), (layer + "self_attn.k_proj.weight", [4, 8]),
            (layer + "self_attn.v_proj.weight", [4, 8]), (layer + "mlp.gate_up_proj.weight", [32, 8]),
            (layer + "mlp.gate_proj.weight", [16, 8]), (layer + "mlp.up_proj.weight", [16, 8]),
            (layer + "mlp.down_proj.weight", [8, 16]),
        ] where names(name) { builder.floats(name, shape) }
        return builder
    }

    private static let splitNames = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"]

    private static func isFused(_ name: String) -> Bool {
        !splitNames.contains { name.hasSuffix("." + $0 + ".weight") }
    }

    private static func isSplit(_ name: String) -> Bool {
        !name.hasSuffix("qkv_proj.weight") && !name.hasSuffix("gate_up_proj.weight")
    }

    private func open(_ changes: [String: String?] = [:]) throws -> Checkpoint {
        try directory.write(configuration(changes), to: "config.json")
        return try Checkpoint.open(directory.url.path)
    }

    private func refusal(_ changes: [String: String?]) throws -> CheckpointError {
        try #require(#expect(throws: CheckpointError.self) { try open(changes) })
    }

    @Test func `fused and split weights give the same roles`() throws {
        try directory.write(Data(weights(names: Self.isFused).bytes()), to: "model.safetensors")
        let fused = try open()
        #expect(try fused.tensor(.layer(0, .qkv)).slices.count == 1)
        try directory.write(Data(weights(names: Self.isSplit).bytes()), to: "model.safetensors")
        let split = try open()
        #expect(try split.tensor(.layer(0, .qkv)).slices.map(\.rows) == [8, 4, 4])
        #expect(try split.tensor(.layer(0, .gateUp)).slices.map(\.rows) == [16, 16])
        #expect(fused.configuration == split.configuration)
        #expect(try Checkpoint.open(directory.url.path + "/model.safetensors").hasWeights)
    }

    @Test func `the newer spelling says the same as the older one`() throws {
        let factors = "\"long_factor\": [2, 3.5], \"short_factor\": [1, 1.5]"
        let older = try open(["rope_scaling": "{\"type\": \"su\", \(factors)}", "rope_theta": "500.0"]).configuration
        let newer = try open([
            "rope_scaling": nil, "rope_theta": nil, "original_max_position_embeddings": nil,
            "rope_parameters": "{\"rope_type\": \"longrope\", \"rope_theta\": 500.0, \(factors), "
                + "\"original_max_position_embeddings\": 64}",
        ]).configuration
        #expect(older == newer)
        #expect(older.longRope?.longFactors == [2, 3.5])
        #expect(older.longRope?.attentionFactor == Float((1 + log(2.0) / log(64.0)).squareRoot()))
        #expect(older.ropeTheta == 500)
    }

    @Test func `partial rotary truncates as the reference does`() throws {
        let model = try open(["head_dim": "10", "partial_rotary_factor": "0.69"]).configuration
        #expect(model.headDimension == 10 && model.rotaryDimension == 6)
    }

    @Test func `end tokens are the union of all sources`() throws {
        try directory.write("{\"eos_token_id\": [3, 4]}", to: "generation_config.json")
        try directory.write("{\"<|end|>\": 7, \"<|user|>\": 8, \"<|im_end|>\": 9}", to: "added_tokens.json")
        #expect(try open().configuration.endOfSequenceIDs == [2, 3, 4, 7, 9])
        #expect(try open(["eos_token_id": "[5]"]).configuration.endOfSequenceIDs == [3, 4, 5, 7, 9])
    }

    @Test func `the template comes from its own file or the tokenizer's configuration`() throws {
        try directory.write("{\"chat_template\": \"A\", \"add_bos_token\": true}", to: "tokenizer_config.json")
        #expect(try open().chatTemplate == "A")
        #expect(try open().configuration.addsBeginOfSequence)
        try directory.write(
            "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"R\"}, {\"name\": \"default\", \"template\": \"D\"}]}",
            to: "tokenizer_config.json")
        #expect(try open().chatTemplate == "D")
        try directory.write("J", to: "chat_template.jinja")
        try directory.write("# Card", to: "README.md")
        #expect(try open().chatTemplate == "J")
        #expect(try open().modelCard == "# Card")
        #expect(try open().license == nil)
    }

    @Test(
        arguments: [
            ("model_type", "\"phimoe\"", "not supported yet"), ("model_type", "\"llama\"", "not supported yet"),
            ("model_type", nil, "missing"), ("num_local_experts", "16", "mixtures"),
            ("hidden_size", "0", "hidden_size"),
            ("hidden_size", "1000000", "hidden_size"), ("hidden_size", "8.5", "hidden_size"),
            ("hidden_size", "\"8\"", "hidden_size"), ("hidden_size", "9", "multiple"), ("hidden_size", nil, "missing"),
            ("num_key_value_heads", "3", "evenly"), ("num_hidden_layers", "99999999999999999999", "num_hidden_layers"),
            ("vocab_size", "-1", "vocab_size"), ("rms_norm_eps", "0", "epsilon"), ("rope_theta", "-1", "base"),
            ("rope_theta", "1e39", "base"), ("partial_rotary_factor", "0", "partial_rotary_factor"),
            ("partial_rotary_factor", "2", "partial_rotary_factor"), ("head_dim", "3", "even"),
            ("sliding_window", "0", "sliding_window"), ("hidden_act", "\"gelu\"", "gelu"),
            ("attention_bias", "true", "attention_bias"), ("quantization_config", "{}", "quantization_config"),
            ("eos_token_id", "12", "outside"), ("eos_token_id", "\"x\"", "eos_token_id"), ("bos_token_id", "-1", "bos"),
            ("rope_scaling", "{\"type\": \"yarn\"}", "yarn"), ("rope_scaling", "{\"type\": \"longrope\"}", "factor"),
            (
                "rope_scaling", "{\"type\": \"longrope\", \"short_factor\": [1], \"long_factor\": [1, 2]}",
                "1 short factors"
            ),
            (
                "rope_scaling", "{\"type\": \"longrope\", \"short_factor\": [1, 0], \"long_factor\": [1, 2]}",
                "positive"
            ),
        ] as [(String, String?, String)])
    func `a broken or unknown key is refused by name`(key: String, value: String?, word: String) throws {
        let error = try refusal([key: value])
        #expect(error.message.contains(word), "\(error)")
        #expect(error.path.hasSuffix("config.json"))
    }

    @Test(arguments: ["", "[]", "{", "nul", String(repeating: "[", count: 200_000), "\u{0}"])
    func `a configuration that is no JSON object is refused`(text: String) throws {
        try directory.write(text, to: "config.json")
        #expect(throws: CheckpointError.self) { try Checkpoint.open(directory.url.path) }
    }

    @Test func `a missing, misshapen or unsupported tensor is named`() throws {
        try directory.write(
            Data(weights { Self.isFused($0) && !$0.contains("o_proj") }.bytes()), to: "model.safetensors")
        #expect(try refusal([:]).message.contains("model.layers.0.self_attn.o_proj.weight"))
        try directory.write(Data(weights(names: Self.isFused).bytes()), to: "model.safetensors")
        let shape = try refusal(["vocab_size": "13"]).message
        #expect(shape.contains("model.embed_tokens.weight") && shape.contains("[12, 8]") && shape.contains("[13, 8]"))
        var builder = weights { Self.isFused($0) && !$0.contains("model.norm") }
        builder.raw("model.norm.weight", "F64", [8], 0, 64)
        try directory.write(Data(builder.bytes()), to: "model.safetensors")
        let type = try refusal([:])
        #expect(type.code == .unsupported && type.message.contains("F64") && type.message.contains("model.norm"))
    }

    @Test func `shards are put together by their index`() throws {
        func isFirst(_ name: String) -> Bool { name.hasPrefix("model.layers") }
        let first = weights { Self.isFused($0) && isFirst($0) }
        let second = weights { Self.isFused($0) && !isFirst($0) }
        try directory.write(Data(first.bytes()), to: "model-1.safetensors")
        let index =
            "{\"weight_map\": {\"model.layers.0.mlp.down_proj.weight\": \"model-1.safetensors\","
            + "\"lm_head.weight\": \"model-2.safetensors\"}}"
        try directory.write(index, to: "model.safetensors.index.json")
        #expect(try refusal([:]).code == .notFound)
        try directory.write(Data(second.bytes()), to: "model-2.safetensors")
        #expect(try open().tensors.count == 9)
        for (name, word) in [
            ("../model-2.safetensors", "no shard"), ("/etc/passwd", "no shard"), ("model-1.safetensors", "should be"),
        ] {
            try directory.write(index.replacing("model-2.safetensors", with: name), to: "model.safetensors.index.json")
            #expect(try refusal([:]).message.contains(word), "\(name)")
        }
    }

    @Test func `the attention factor needs no C library`() {
        for (context, original) in [(131_072, 4096), (1024, 64), (4096, 4096), (3, 2), (1 << 24, 2)] {
            let scale = Double(context) / Double(original)
            let reference = scale <= 1 ? 1 : (1 + log(scale) / log(Double(original))).squareRoot()
            #expect(
                LongRope.attentionFactor(contextLength: context, originalContextLength: original) == Float(reference))
        }
    }

    @Test(
        arguments: [
            ("---\nlicense: mit\n---\n# Phi", "mit"),
            ("---\r\ntags: [a]\r\nlicense: \"apache-2.0\"\r\n---\r\n", "apache-2.0"),
            ("---\ntags: [a]\n---\nlicense: mit", nil), ("license: mit", nil), ("---\nlicense:\n---", nil), ("", nil),
        ] as [(String, String?)])
    func `a card's front matter names the licence`(card: String, license: String?) throws {
        try directory.write(card, to: "README.md")
        #expect(try open().license == license)
    }
}
