import Checkpoint
import Foundation
import Host
import TestSupport
import Testing

@Suite struct GGUFFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ builder: GGUFBuilder) throws -> GGUFFile {
        try GGUFFile(path: builder.write(to: directory))
    }

    private func refusal(_ builder: GGUFBuilder) throws -> CheckpointError {
        try #require(#expect(throws: CheckpointError.self) { try open(builder) })
    }

    @Test(arguments: [UInt32(2), 3])
    func `every kind of value is read`(version: UInt32) throws {
        var builder = GGUFBuilder()
        builder.version = version
        builder.raw("u8", type: 0, [200])
        builder.raw("i8", type: 1, [0xFE])
        builder.raw("u16", type: 2, GGUFBuilder.little(UInt16(60_000)))
        builder.raw("i16", type: 3, GGUFBuilder.little(Int16(-3)))
        builder.set("u32", 4_000_000_000)
        builder.raw("i32", type: 5, GGUFBuilder.little(Int32(-4)))
        builder.set("f32", float: 1.5)
        builder.set("yes", true)
        builder.set("text", "grüße")
        builder.raw("u64", type: 10, GGUFBuilder.little(UInt64.max))
        builder.raw("i64", type: 11, GGUFBuilder.little(Int64.min))
        builder.raw("f64", type: 12, GGUFBuilder.little((-2.25).bitPattern))
        builder.set("texts", ["a", "", "bc"])
        builder.set("floats", [Float(1), 2.5])
        builder.set("ints", [Int32(-1), 7])
        let inner = GGUFBuilder.little(UInt32(0)) + GGUFBuilder.little(UInt64(2)) + [1, 2]
        builder.raw("nested", type: 9, GGUFBuilder.little(UInt32(9)) + GGUFBuilder.little(UInt64(1)) + inner)
        let file = try open(builder)

        #expect(file.version == version)
        #expect(file.metadata.count == 16)
        #expect(try file.integer("u8") == 200)
        #expect(try file.integer("i8") == -2)
        #expect(try file.integer("u16") == 60_000)
        #expect(try file.integer("i16") == -3)
        #expect(try file.integer("u32") == 4_000_000_000)
        #expect(try file.integer("i32") == -4)
        #expect(try file.float("f32") == 1.5)
        #expect(try file.bool("yes") == true)
        #expect(try file.string("text") == "grüße")
        #expect(throws: CheckpointError.self) { try file.integer("u64") }
        #expect(try file.integer("i64") == Int.min)
        #expect(try file.float("f64") == -2.25)
        #expect(try file.strings("texts") == ["a", "", "bc"])
        #expect(try file.byteStrings("texts") == [[97], [], [98, 99]])
        #expect(try file.floats("floats") == [1, 2.5])
        #expect(try file.integers("ints") == [-1, 7])
        #expect(file.arrayCount("nested") == 1)
        #expect(try file.string("absent") == nil)
        #expect(throws: CheckpointError.self) { try file.string("u32") }
        #expect(throws: CheckpointError.self) { try file.strings("floats") }
    }

    @Test func `tensors lie where the table says`() throws {
        var builder = GGUFBuilder()
        builder.set("general.alignment", 64)
        builder.alignment = 64
        builder.floats("first", [3])
        builder.floats("second", [2, 3])
        builder.tensor("third", [64, 2], type: 8, [UInt8](repeating: 9, count: 4 * 34))
        let file = try open(builder)
        #expect(file.tensorNames == ["first", "second", "third"])
        let second = try #require(file.tensors["second"])
        #expect(second.columns == 2 && second.rows == 3 && second.range.count == 24)
        #expect(second.range.lowerBound % 64 == 0)
        let third = try #require(file.tensors["third"])
        #expect(third.type == .q8x0 && third.range.count == 136)
        #expect(third.range.upperBound == file.file.byteCount)
    }

    @Test func `a vocabulary of 200,000 tokens is passed over and read on demand`() throws {
        var builder = GGUFBuilder()
        let tokens = (0..<200_000).map { "token\($0)" }
        builder.set("tokenizer.ggml.tokens", tokens)
        builder.set("after", 5)
        let file = try open(builder)
        #expect(file.arrayCount("tokenizer.ggml.tokens") == 200_000)
        #expect(try file.integer("after") == 5)
        #expect(try file.strings("tokenizer.ggml.tokens") == tokens)
    }

    @Test func `other versions, byte orders and files are named`() throws {
        var builder = GGUFBuilder()
        builder.version = 1
        #expect(try refusal(builder).message.contains("version 1"))
        builder.version = 4
        #expect(try refusal(builder).message.contains("version 4"))
        builder.version = UInt32(3).byteSwapped
        #expect(try refusal(builder).message.contains("big-endian"))
        builder.magic = Array("ggml".utf8)
        #expect(try refusal(builder).message.contains("GGUF"))
    }

    @Test func `counts that the file cannot hold are not believed`() throws {
        for count in [1, 1 << 20, UInt64(Int.max), UInt64.max] {
            var builder = GGUFBuilder()
            builder.tensorCount = count
            #expect(try refusal(builder).code == .malformed)
            builder = GGUFBuilder()
            builder.metadataCount = count
            #expect(try refusal(builder).code == .malformed)
            builder = GGUFBuilder()
            builder.raw("list", type: 9, GGUFBuilder.little(UInt32(8)) + GGUFBuilder.little(count))
            #expect(try refusal(builder).message.contains("list"))
            builder = GGUFBuilder()
            builder.raw("list", type: 9, GGUFBuilder.little(UInt32(12)) + GGUFBuilder.little(count))
            #expect(try refusal(builder).message.contains("list"))
            builder = GGUFBuilder()
            builder.raw("text", type: 8, GGUFBuilder.little(count))
            #expect(try refusal(builder).message.contains("text"))
        }
    }

    @Test func `arrays nested too deep are refused`() throws {
        var builder = GGUFBuilder()
        var bytes: [UInt8] = []
        for _ in 0..<10_000 { bytes += GGUFBuilder.little(UInt32(9)) + GGUFBuilder.little(UInt64(1)) }
        builder.raw("deep", type: 9, bytes)
        #expect(try refusal(builder).message.contains("deep"))
    }

    @Test func `names that appear twice are refused`() throws {
        var builder = GGUFBuilder()
        builder.set("key", 1)
        builder.set("key", 2)
        #expect(try refusal(builder).message.contains("'key' appears twice"))
        builder = GGUFBuilder()
        builder.floats("tensor", [4])
        builder.floats("tensor", [4])
        #expect(try refusal(builder).message.contains("'tensor' appears twice"))
    }

    @Test(
        arguments: [
            ([], 0, 0, "extents"), ([1, 1, 1, 1, 1], 0, 0, "extents"), ([0], 0, 0, "extent"),
            ([4, 0], 0, 0, "extent"), ([UInt64.max], 0, 0, "extent"),
            ([1 << 32, 1 << 32], 0, 0, "extent"), ([1 << 31, 1 << 31], 0, 0, "larger"),
            ([33], 8, 0, "multiple"), ([128], 12, 0, "multiple"), ([32], 23, 0, "IQ4_XS"), ([32], 99, 0, "number 99"),
            ([8], 0, 32, "beyond"), ([9], 0, 0, "beyond"), ([4], 0, 7, "multiple"),
            ([4], 0, UInt64.max - 31, "beyond"), ([1 << 40], 0, 0, "beyond"),
        ] as [([UInt64], UInt32, UInt64, String)])
    func `an impossible tensor is refused by name`(
        extents: [UInt64], type: UInt32, offset: UInt64, word: String
    ) throws {
        var builder = GGUFBuilder()
        builder.info("the.tensor", extents, type: type, offset: offset)
        let bytes = builder.bytes() + [UInt8](repeating: 0, count: 32)
        let path = try directory.write(Data(bytes), to: "broken.gguf")
        let error = try #require(#expect(throws: CheckpointError.self) { try GGUFFile(path: path) })
        #expect(error.message.contains("the.tensor"))
        #expect(error.message.contains(word), "\(error)")
        #expect(error.path == path)
    }

    @Test(arguments: [UInt32(0), 3, 48, 1 << 21])
    func `an impossible alignment is refused`(alignment: UInt32) throws {
        var builder = GGUFBuilder()
        builder.set("general.alignment", alignment)
        #expect(try refusal(builder).message.contains("general.alignment"))
    }

    @Test func `a key that is not text is refused`() throws {
        var bytes = Array(GGUFBuilder().bytes()[..<16])
        bytes += GGUFBuilder.little(UInt64(1)) + GGUFBuilder.little(UInt64(2)) + [0xFF, 0xFE]
        bytes += GGUFBuilder.little(UInt32(4)) + GGUFBuilder.little(UInt32(0))
        let path = try directory.write(Data(bytes), to: "key.gguf")
        let error = #expect(throws: CheckpointError.self) { try GGUFFile(path: path) }
        #expect(error?.message.contains("UTF-8") == true)
    }

    @Test func `control characters of a file do not reach the terminal`() throws {
        var builder = GGUFBuilder()
        builder.set("\u{1B}[31mred\n", 1)
        builder.set("\u{1B}[31mred\n", 1)
        let message = try refusal(builder).message
        #expect(!message.unicodeScalars.contains { $0.properties.generalCategory == .control })
    }
}
