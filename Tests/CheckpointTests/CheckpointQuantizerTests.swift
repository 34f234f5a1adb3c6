import Checkpoint
import Foundation
import Host
import TestSupport
import Testing

@Suite struct CheckpointQuantizerTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String = "out.gguf") -> String { directory.url.appendingPathComponent(name).path }

    private func bytes(_ file: GGUFFile, _ name: String) throws -> [UInt8] {
        let range = try #require(file.tensors[name]?.range)
        return try file.file.withBytes(in: range) { span in unsafe span.withUnsafeBytes { unsafe [UInt8]($0) } }
    }

    /// Quantises a checkpoint and reads the result.
    private func quantize(
        _ source: String, _ mix: QuantizationMix, to name: String = "out.gguf", isPure: Bool = false,
        allowsRequantizing: Bool = false, threadCount: Int = 2
    ) throws -> GGUFFile {
        let quantizer = try CheckpointQuantizer(
            Checkpoint.open(source), mix: mix, isPure: isPure, allowsRequantizing: allowsRequantizing)
        try quantizer.write(to: path(name), threadCount: threadCount, replacesExisting: true)
        _ = try Checkpoint.open(path(name))
        return try GGUFFile(path: path(name))
    }

    private func tiny() throws -> String {
        var builder = GGUFBuilder.tiny()
        builder.set("general.file_type", UInt32(0))
        builder.set("some.list", ["kept", "as it is"])
        builder.addTinyTensors()
        builder.floats("extra.weight", [32, 2]) { Float($0) - 31.5 }
        return try builder.write(to: directory)
    }

    @Test func `metadata come along, and tensors of the graph as well as others`() throws {
        let source = try tiny()
        let before = try GGUFFile(path: source)
        let after = try quantize(source, .q8x0)
        #expect(try after.strings("some.list") == ["kept", "as it is"])
        #expect(try after.integer("general.file_type") == 7 && after.integer("general.quantization_version") == 2)
        #expect(Set(after.tensorNames) == Set(before.tensorNames))
        let keys = before.metadataEntries.map(\.key).filter { $0 != "general.file_type" }
        #expect(
            after.metadataEntries.map(\.key) == keys + ["general.quantization_version", "general.file_type"])
        // Rows of 8 and 16 are no whole blocks of 32; vectors stay.
        #expect(after.tensors["blk.0.attn_qkv.weight"]?.type == .f16)
        #expect(after.tensors["extra.weight"]?.type == .q8x0)
        #expect(after.tensors["output_norm.weight"]?.type == .f32)
        #expect(try bytes(after, "output_norm.weight") == bytes(before, "output_norm.weight"))
    }

    @Test func `what is quantised already is quantised again only when asked`() throws {
        let once = try quantize(tiny(), .q8x0, to: "once.gguf")
        let error = #expect(throws: CheckpointError.self) { try quantize(path("once.gguf"), .q4x0) }
        #expect(error?.message.contains("--allow-requantize") == true)
        // Tensors that keep their type do not count.
        #expect(try quantize(path("once.gguf"), .q8x0).tensors["extra.weight"]?.type == .q8x0)
        let twice = try quantize(path("once.gguf"), .f32, allowsRequantizing: true)
        #expect(twice.tensors["extra.weight"]?.type == .f32 && once.tensors["extra.weight"]?.type == .q8x0)
    }

    @Test func `a number that is not finite ends it, and nothing remains`() throws {
        var builder = GGUFBuilder.tiny()
        builder.addTinyTensors()
        builder.floats("extra.weight", [32, 3]) { $0 == 40 ? .nan : 1 }
        let source = try builder.write(to: directory)
        let error = #expect(throws: CheckpointError.self) { try quantize(source, .q8x0) }
        #expect(error?.message.contains("'extra.weight', row 1") == true, "\(String(describing: error))")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["model.gguf"])
    }

    @Test func `the input is never the output, by whatever name`() throws {
        let source = try tiny()
        let link = path("link.gguf")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: source)
        let before = try Data(contentsOf: URL(fileURLWithPath: source))
        for name in [source, link] {
            let quantizer = try CheckpointQuantizer(Checkpoint.open(source), mix: .f16)
            let error = #expect(throws: CheckpointError.self) {
                try quantizer.write(to: name, threadCount: 1, replacesExisting: true)
            }
            #expect(error?.message.contains("input") == true)
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: source)) == before)
    }

    @Test func `a vocabulary without weights is refused`() throws {
        var builder = GGUFBuilder.tiny()
        builder.set("tokenizer.ggml.tokens", ["a"])
        let source = try builder.write(to: directory)
        #expect(throws: CheckpointError.self) { try CheckpointQuantizer(Checkpoint.open(source), mix: .f16) }
    }

    @Test(.enabled(if: Fixtures.areHere, "\(Fixtures.reason)"), arguments: ["F16", "BF16"])
    func `an F32 model becomes what the converter made of it`(type: String) throws {
        let folder = try Fixtures.model("gguf-phi3-float-like").path
        let mix = try #require(QuantizationMix(name: type))
        let expected = try GGUFFile(path: "\(folder)/phi-3-like-\(type).gguf")
        let found = try quantize("\(folder)/phi-3-like-F32.gguf", mix)
        for name in expected.tensorNames {
            #expect(found.tensors[name]?.type == expected.tensors[name]?.type)
            #expect(try bytes(found, name) == bytes(expected, name), "\(name)")
        }
    }

    @Test(
        .enabled(if: Fixtures.areHere, "\(Fixtures.reason)"),
        arguments: [
            ("phi3-128k-like", "gguf-phi3-128k-like/phi-3-128k-like-F16.gguf", QuantizationMix.f16),
            ("phi4-mini-like", "gguf-phi4-mini-like/phi-4-mini-like-Q8_0.gguf", .q8x0),
        ])
    func `a Hugging Face directory becomes what llama.cpp's converter makes of it`(
        source: String, file: String, mix: QuantizationMix
    ) throws {
        let expected = try GGUFFile(path: Fixtures.file("models/" + file).path)
        let found = try quantize(Fixtures.model(source).path, mix)
        #expect(Set(found.tensorNames) == Set(expected.tensorNames))
        for name in expected.tensorNames {
            #expect(found.tensors[name]?.type == expected.tensors[name]?.type)
            #expect(try bytes(found, name) == bytes(expected, name), "\(name)")
        }
        // The converter guesses these from the directory's name and model card.
        let named = ["general.name", "general.basename", "general.finetune", "general.size_label"]
        let entries = expected.metadataEntries.filter { !named.contains($0.key) }
        #expect(found.metadataEntries.map(\.key).filter { !named.contains($0) } == entries.map(\.key))
        for entry in entries {
            let own = try #require(found.metadataEntries.first { $0.key == entry.key })
            #expect(own.type == entry.type, "\(entry.key)")
            #expect(try value(own, in: found) == value(entry, in: expected), "\(entry.key)")
        }
        #expect(
            try Checkpoint.open(found.path).tokenizerDefinition()
                == Checkpoint.open(expected.path).tokenizerDefinition())
    }

    private func value(_ entry: GGUFMetadataEntry, in file: GGUFFile) throws -> [UInt8] {
        try file.file.withBytes(in: entry.range) { span in unsafe span.withUnsafeBytes { unsafe [UInt8]($0) } }
    }

    @Test(.enabled(if: Fixtures.areHere, "\(Fixtures.reason)"))
    func `the number of threads changes nothing`() throws {
        let source = try Fixtures.model("phi3-medium-like").path
        var files: [Data] = []
        for threadCount in [1, 2, 5] {
            files.append(
                try Data(
                    contentsOf: URL(fileURLWithPath: quantize(source, .q4KMedium, threadCount: threadCount).path)))
        }
        #expect(files[0] == files[1] && files[0] == files[2])
    }
}
