import Foundation
import TestSupport
import Testing

@testable import Checkpoint

/// Mutates sound files by a seed and opens what is left, under a memory limit.
struct CheckpointFuzzer {
    private static let seed =
        ProcessInfo.processInfo.environment["PHALANX_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0x7068_616C_616E_7821
    private static let rounds =
        ProcessInfo.processInfo.environment["PHALANX_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 2500
    /// Most memory in bytes beyond what the process had at the start; the files are a few kilobytes.
    private static let memoryLimit = 128 << 20

    /// A mutation that neither opened nor was refused as it should.
    struct Failure: Error {
        let message: String
    }

    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try ProcessMemory.limit(beyondNow: Self.memoryLimit)
    }

    /// SplitMix64: the same sequence on every machine.
    private struct Random {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }

        mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(1, limit))) }
    }

    /// Numbers that parsers stumble over.
    private static let nasty: [UInt64] = [
        0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF,
        0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFE0, 1 << 32, 1 << 40,
    ]

    private static func mutate(_ bytes: [UInt8], header: Int, _ random: inout Random) -> [UInt8] {
        var result = bytes
        for _ in 0...random.below(4) {
            guard !result.isEmpty else { break }
            let place = random.below(min(header, result.count))
            switch random.below(6) {
            case 0: result[place] ^= UInt8(1 << random.below(8))
            case 1: result[place] = UInt8(truncatingIfNeeded: random.next())
            case 2:
                let value = nasty[random.below(nasty.count)]
                for i in 0..<min(8, result.count - place) {
                    result[place + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i))
                }
            case 3: result.removeSubrange(place..<min(result.count, place + 1 + random.below(16)))
            case 4:
                result.insert(contentsOf: (0..<(1 + random.below(16))).map { _ in UInt8(random.below(256)) }, at: place)
            default: result.removeLast(random.below(result.count))
            }
        }
        return result
    }

    /// Opens what a mutation left and reads all of it; true when it still opened.
    private func exercise(_ path: String) throws -> Bool {
        do {
            let model = try Checkpoint.open(path)
            for view in model.tensors { for slice in view.slices { _ = try slice.withBytes { $0.byteCount } } }
            _ = try model.fingerprint()
            _ = try? model.tokenizerDefinition()
            return true
        } catch is CheckpointError {
            return false
        }
    }

    private func fuzz(_ sound: [UInt8], name: String, header: Int) throws {
        var random = Random(state: Self.seed)
        var opened = 0
        for round in 0..<Self.rounds {
            let file = try directory.write(Data(Self.mutate(sound, header: header, &random)), to: name)
            do {
                if try exercise(name.hasSuffix(".gguf") ? file : directory.url.path) { opened += 1 }
            } catch {
                throw Failure(message: "seed \(Self.seed), round \(round): \(error)")
            }
        }
        print("fuzz \(name): seed \(Self.seed), \(Self.rounds) mutations, \(opened) still opened")
        // Mutations that never open, or always, would test little.
        guard opened > 0, opened < Self.rounds else { throw Failure(message: "\(opened) mutations opened") }
    }

    private func require(_ holds: Bool, _ message: String) throws {
        guard holds else { throw Failure(message: message) }
    }

    func fuzzGGUF() throws {
        var builder = GGUFBuilder.tiny()
        builder.set("tokenizer.ggml.model", "llama")
        builder.set("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", "a", "b", "<|end|>"])
        builder.set("tokenizer.ggml.scores", [Float](repeating: 0, count: 6))
        builder.set("tokenizer.ggml.token_type", [Int32(2), 3, 3, 1, 1, 3])
        builder.set("tokenizer.ggml.eos_token_id", 2)
        builder.addTinyTensors()
        builder.floats("rope_factors_long.weight", [2]) { Float($0 + 1) }
        builder.floats("rope_factors_short.weight", [2]) { Float($0 + 1) }
        let sound = builder.bytes()
        try require(exercise(directory.write(Data(sound), to: "sound.gguf")), "the sound file is refused")
        try fuzz(sound, name: "mutated.gguf", header: 1700)
        // A file cut at each length of its header, exactly.
        for length in 0..<1700 {
            let path = try directory.write(Data(sound.prefix(length)), to: "cut.gguf")
            try require(!exercise(path), "a file cut after \(length) bytes opens")
        }
    }

    func fuzzSafetensors() throws {
        try directory.write(
            """
            {"model_type": "phi3", "hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1,
            "num_hidden_layers": 1, "intermediate_size": 16, "vocab_size": 12, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 128, "tie_word_embeddings": true}
            """, to: "config.json")
        var builder = SafetensorsBuilder()
        let layer = "model.layers.0."
        for (name, shape) in [
            ("model.embed_tokens.weight", [12, 8]), ("model.norm.weight", [8]),
            (layer + "input_layernorm.weight", [8]), (layer + "post_attention_layernorm.weight", [8]),
            (layer + "self_attn.qkv_proj.weight", [16, 8]), (layer + "self_attn.o_proj.weight", [8, 8]),
            (layer + "mlp.gate_up_proj.weight", [32, 8]), (layer + "mlp.down_proj.weight", [8, 16]),
        ] { builder.floats(name, shape) }
        let sound = builder.bytes()
        try directory.write(Data(sound), to: "model.safetensors")
        try require(exercise(directory.url.path), "the sound file is refused")
        try fuzz(sound, name: "model.safetensors", header: 900)
    }

    func fuzzPackedHeader() throws {
        let header = try PackedHeaderTests.sample()
        let sound = header.encoded()
        var random = Random(state: Self.seed)
        var readCount = 0
        for round in 0..<Self.rounds * 4 {
            var bytes = Self.mutate(sound, header: 420, &random)
            // A checksum that fits, so that the parser behind it is reached.
            if bytes.count >= 4 {
                let sum = CRC32C.checksum(of: bytes.dropLast(4))
                bytes.replaceSubrange((bytes.count - 4)..., with: GGUFBuilder.little(sum))
            }
            let fileByteCount = bytes.count + [header.payloadByteCount, 0, Int.max - 1 << 30][random.below(3)]
            do {
                let parsed = try PackedHeader(parsing: bytes, fileByteCount: fileByteCount)
                readCount += 1
                try require(parsed.encoded() == bytes, "round \(round) is read as something else")
                try require(parsed.sections.allSatisfy { $0.end <= parsed.payloadByteCount }, "round \(round)")
            } catch is PackedFileError {}
        }
        print("fuzz packed header: seed \(Self.seed), \(readCount) mutations were read")
        try require(readCount > 0 && readCount < Self.rounds * 4, "\(readCount) mutations were read")
    }

    func fuzzConfiguration() throws {
        let sound = Array(
            """
            {"model_type": "phi3", "hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1,
            "num_hidden_layers": 1, "intermediate_size": 16, "vocab_size": 12, "rms_norm_eps": 1e-5, "head_dim": 4,
            "max_position_embeddings": 128, "eos_token_id": [1, 2], "partial_rotary_factor": 1.0, "sliding_window": 5,
            "rope_scaling": {"type": "longrope", "short_factor": [1, 2.5], "long_factor": [1e1, 2]}}
            """.utf8)
        try fuzz(sound, name: "config.json", header: sound.count)
    }
}
