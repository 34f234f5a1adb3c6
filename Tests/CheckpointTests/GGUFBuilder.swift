import Foundation
import TestSupport

/// Writes GGUF files for tests, sound or broken on purpose.
struct GGUFBuilder {
    var magic = Array("GGUF".utf8)
    var version: UInt32 = 3
    /// Overrides for the counts in the header.
    var tensorCount: UInt64?
    var metadataCount: UInt64?
    var alignment = 32
    private var entries: [[UInt8]] = []
    private var infos: [[UInt8]] = []
    private var data: [UInt8] = []

    static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> Value($0 * 8)) }
    }

    static func string(_ text: String) -> [UInt8] {
        little(UInt64(text.utf8.count)) + Array(text.utf8)
    }

    /// A key with a value type number and the value's bytes.
    mutating func raw(_ key: String, type: UInt32, _ bytes: [UInt8]) {
        entries.append(Self.string(key) + Self.little(type) + bytes)
    }

    mutating func set(_ key: String, _ value: UInt32) { raw(key, type: 4, Self.little(value)) }
    mutating func set(_ key: String, float value: Float) { raw(key, type: 6, Self.little(value.bitPattern)) }
    mutating func set(_ key: String, _ value: Bool) { raw(key, type: 7, [value ? 1 : 0]) }
    mutating func set(_ key: String, _ value: String) { raw(key, type: 8, Self.string(value)) }
    mutating func set(_ key: String, _ values: [String]) {
        raw(
            key, type: 9, Self.little(UInt32(8)) + Self.little(UInt64(values.count)) + values.flatMap(Self.string))
    }
    mutating func set(_ key: String, _ values: [Float]) {
        raw(
            key, type: 9,
            Self.little(UInt32(6)) + Self.little(UInt64(values.count)) + values.flatMap { Self.little($0.bitPattern) })
    }
    mutating func set(_ key: String, _ values: [Int32]) {
        raw(key, type: 9, Self.little(UInt32(5)) + Self.little(UInt64(values.count)) + values.flatMap(Self.little))
    }

    /// A tensor's table entry without data.
    mutating func info(_ name: String, _ extents: [UInt64], type: UInt32, offset: UInt64) {
        infos.append(
            Self.string(name) + Self.little(UInt32(extents.count)) + extents.flatMap(Self.little)
                + Self.little(type) + Self.little(offset))
    }

    /// A tensor with its bytes, aligned.
    mutating func tensor(_ name: String, _ extents: [Int], type: UInt32 = 0, _ bytes: [UInt8]) {
        while data.count % alignment != 0 { data.append(0) }
        info(name, extents.map(UInt64.init), type: type, offset: UInt64(data.count))
        data += bytes
    }

    /// A tensor of F32 numbers: extents the row length first.
    mutating func floats(_ name: String, _ extents: [Int], _ value: (Int) -> Float = { Float($0) }) {
        tensor(name, extents, (0..<extents.reduce(1, *)).flatMap { Self.little(value($0).bitPattern) })
    }

    /// The file's bytes.
    func bytes() -> [UInt8] {
        var file = magic + Self.little(version) + Self.little(tensorCount ?? UInt64(infos.count))
        file += Self.little(metadataCount ?? UInt64(entries.count))
        file += entries.joined()
        file += infos.joined()
        if !infos.isEmpty { while file.count % alignment != 0 { file.append(0) } }
        return file + data
    }

    /// Writes the file and returns its path.
    func write(to directory: TemporaryDirectory, _ name: String = "model.gguf") throws -> String {
        try directory.write(Data(bytes()), to: name)
    }
}

extension GGUFBuilder {
    /// The metadata of a tiny model: hidden 8, 2 heads, 1 KV head, 1 layer, feed-forward 16, vocabulary 12.
    static func tiny(layers: UInt32 = 1) -> GGUFBuilder {
        var builder = GGUFBuilder()
        builder.set("general.architecture", "phi3")
        builder.set("general.name", "Tiny")
        builder.set("phi3.context_length", 128)
        builder.set("phi3.embedding_length", 8)
        builder.set("phi3.feed_forward_length", 16)
        builder.set("phi3.block_count", layers)
        builder.set("phi3.attention.head_count", 2)
        builder.set("phi3.attention.head_count_kv", 1)
        builder.set("phi3.attention.layer_norm_rms_epsilon", float: 1e-5)
        builder.set("phi3.rope.dimension_count", 4)
        return builder
    }

    /// The tensors of the tiny model.
    mutating func addTinyTensors(fused: Bool = true, tied: Bool = false, layers: Int = 1) {
        floats("token_embd.weight", [8, 12])
        for layer in 0..<layers {
            let block = "blk.\(layer)."
            floats(block + "attn_norm.weight", [8])
            floats(block + "ffn_norm.weight", [8])
            floats(block + "attn_output.weight", [8, 8])
            floats(block + "ffn_down.weight", [16, 8])
            if fused {
                floats(block + "attn_qkv.weight", [8, 16])
                floats(block + "ffn_up.weight", [8, 32])
            } else {
                floats(block + "attn_q.weight", [8, 8])
                floats(block + "attn_k.weight", [8, 4]) { Float(1000 + $0) }
                floats(block + "attn_v.weight", [8, 4]) { Float(2000 + $0) }
                floats(block + "ffn_gate.weight", [8, 16])
                floats(block + "ffn_up.weight", [8, 16]) { Float(1000 + $0) }
            }
        }
        floats("output_norm.weight", [8])
        if !tied { floats("output.weight", [8, 12]) }
    }
}
