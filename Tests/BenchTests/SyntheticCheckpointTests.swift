import Checkpoint
import Foundation
import Host
import Kernels
import TestSupport
import Testing
import Tokenization

@testable import Bench

@Suite struct SyntheticCheckpointTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String) -> String { directory.url.appendingPathComponent(name).path }

    private func write(
        _ mix: QuantizationMix, seed: UInt64 = 0, layers: Int? = nil, threadCount: Int = 2, to name: String
    ) throws -> Data {
        let checkpoint = SyntheticCheckpoint(shape: .tiny, mix: mix, seed: seed, layerCount: layers)
        var shares: [Double] = []
        try checkpoint.write(to: path(name), threadCount: threadCount) { shares.append($0) }
        #expect(shares == shares.sorted() && shares.last == 1)
        return try Data(contentsOf: URL(fileURLWithPath: path(name)))
    }

    @Test(arguments: QuantizationMix.allCases)
    func `every mixture loads, and its weights are spread as they should be`(mix: QuantizationMix) throws {
        _ = try write(mix, to: "model")
        let checkpoint = try Checkpoint.open(path("model"))
        var expected = SyntheticShape.tiny.configuration
        expected.beginOfSequenceID = 1
        expected.endOfSequenceIDs = [960, 961, 967]
        #expect(checkpoint.configuration == expected)
        for view in checkpoint.tensors {
            let numbers = try numbers(of: view)
            guard view.rows > 1 else {
                #expect(numbers.allSatisfy { $0 == 1 }, "\(view.name)")
                continue
            }
            let wanted = view.role == .tokenEmbedding ? 1 : 1 / Double(view.columns).squareRoot()
            let count = Double(numbers.count)
            let mean = numbers.reduce(0) { $0 + Double($1) } / count
            let deviation = (numbers.reduce(0) { $0 + Double($1) * Double($1) } / count).squareRoot()
            #expect(abs(mean) < 0.03 * wanted, "\(view.name): mean \(mean)")
            #expect(abs(deviation / wanted - 1) < 0.05, "\(view.name): deviation \(deviation), not \(wanted)")
            #expect(Set(numbers.prefix(view.columns)).count > 3, "\(view.name)")
            let (first, second) = (numbers.prefix(view.columns), numbers.dropFirst(view.columns).prefix(view.columns))
            #expect(!first.elementsEqual(second), "\(view.name): rows repeat")
        }
    }

    private func numbers(of view: TensorView) throws -> [Float] {
        try view.slices.flatMap { slice in
            let format = try #require(WeightFormat(ggmlType: slice.type.rawValue))
            let conversion = try RowConversion(from: format, to: .f32, columns: slice.columns)
            var numbers = [Float](repeating: .nan, count: slice.rows * slice.columns)
            let failed = try unsafe numbers.withUnsafeMutableBytes { target in
                unsafe conversion.convert(try slice.unsafeBytes(), into: target)
            }
            #expect(failed == nil)
            return numbers
        }
    }

    @Test func `the file depends on shape, mixture, layers and seed, and not on the threads`() throws {
        let one = try write(.q4KMedium, threadCount: 1, to: "one")
        #expect(try write(.q4KMedium, threadCount: 2, to: "two") == one)
        #expect(try write(.q4KMedium, threadCount: 7, to: "seven") == one)
        #expect(try write(.q4KMedium, seed: 1, to: "seed") != one)
        #expect(try write(.q4KSmall, to: "mix") != one)
        let long = try write(.q4KMedium, layers: 3, to: "layers")
        #expect(long.count > one.count)
        #expect(try Checkpoint.open(path("layers")).configuration.layerCount == 3)
    }

    @Test func `a file that exists is not replaced unless asked`() throws {
        try directory.write("mine", to: "model")
        let checkpoint = SyntheticCheckpoint(shape: .tiny, mix: .q4x0)
        #expect(throws: CheckpointError.self) { try checkpoint.write(to: path("model"), threadCount: 1) }
        #expect(try String(contentsOfFile: path("model"), encoding: .utf8) == "mine")
        try checkpoint.write(to: path("model"), threadCount: 1, replacesExisting: true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["model"])
    }

    @Test(arguments: SyntheticShape.allCases)
    func `the tokenizer of every shape has its size and reads any text`(shape: SyntheticShape) throws {
        let metadata = SyntheticTokenizer.metadata(for: shape)
        #expect(metadata.tokens.count == shape.configuration.vocabularySize)
        #expect(Set(metadata.tokens).count == metadata.tokens.count)
        let definition = try TokenizerDefinition(gguf: metadata)
        let tokenizer = try Tokenizer(definition)
        for text in ["hello the world", "Ünïcode 漢字 \u{1F600}\n\ttabs", "<tag> 100%", ""] {
            let ids = tokenizer.encode(text, parseSpecial: true, addBOS: false)
            #expect(tokenizer.decode(ids).trimmingPrefix(" ") == text, "\(shape): \(ids)")
        }
        // Words are pieces, not letters.
        #expect(tokenizer.encode("hello the world", parseSpecial: true, addBOS: false).count <= 10)
        let chat = try tokenizer.encode(
            messages: [ChatMessage(role: .user, content: "hi")], addGenerationPrompt: true)
        let ender = shape == .phi4 ? "<|im_end|>" : "<|end|>"
        #expect(chat.contains(try #require(definition.addedTokenID(ender))))
    }

    @Test func `the special tokens of Phi-3 lie where they are published`() {
        let tokens = SyntheticTokenizer.metadata(for: .phi3Medium).tokens.map { String(decoding: $0, as: UTF8.self) }
        #expect(tokens[32_000] == "<|endoftext|>" && tokens[32_001] == "<|assistant|>")
        #expect(tokens[32_006] == "<|system|>" && tokens[32_007] == "<|end|>" && tokens[32_010] == "<|user|>")
        #expect(tokens[13] == "<0x0A>" && tokens[259] == "\u{2581}a" && tokens[32_063] == "[PAD32063]")
    }

    @Test func `quantiles are those of the normal distribution`() {
        let quantiles = NormalTable.quantiles(bitCount: 16)
        #expect(quantiles.count == 65_536 && quantiles == quantiles.sorted())
        let variance = quantiles.reduce(0) { $0 + $1 * $1 } / 65_536
        #expect(abs(variance - 1) < 1e-3)
        // Known values: the quartile, and the point beyond which 2.5% lie.
        #expect(abs(quantiles[49_152] - 0.674_49) < 1e-4 && abs(quantiles[63_897] - 1.959_96) < 2e-3)
    }
}
