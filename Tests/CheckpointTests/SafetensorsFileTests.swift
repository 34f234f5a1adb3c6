import Checkpoint
import Foundation
import TestSupport
import Testing

@Suite struct SafetensorsFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        try SafetensorsFile(path: directory.write(Data(bytes), to: "model.safetensors"))
    }

    @Test func `tensors lie where the header says`() throws {
        var builder = SafetensorsBuilder()
        builder.floats("a", [2, 3])
        builder.floats("b", [5])
        let file = try open(builder.bytes())
        let a = try #require(file.tensors["a"])
        #expect(a.shape == [2, 3] && a.type == .f32 && a.range.count == 24)
        let b = try #require(file.tensors["b"])
        #expect(b.range == a.range.upperBound..<(a.range.upperBound + 20))
        #expect(file.tensors.count == 2)
    }

    @Test func `a type that is not supported is kept for whoever asks for the tensor`() throws {
        var builder = SafetensorsBuilder()
        builder.raw("ids", "I64", [0], 0, 0)
        #expect(try open(builder.bytes()).tensors["ids"]?.type == nil)
    }

    @Test(
        arguments: [
            ("F32", [2], 0, 4, "shape"), ("F32", [4], 0, 16, "outside"), ("F32", [1], 4, 0, "outside"),
            ("F32", [1], -4, 0, "outside"), ("F32", [Int.max, 4], 0, 4, "shape"), ("F32", [-1], 0, 4, "shape"),
            ("F32", [1], 0, Int.max, "outside"), ("BF16", [4], 0, 4, "bytes"),
        ] as [(String, [Int], Int, Int, String)])
    func `an impossible tensor is refused by name`(
        dtype: String, shape: [Int], start: Int, end: Int, word: String
    ) throws {
        var builder = SafetensorsBuilder()
        builder.raw("the.tensor", dtype, shape, start, end)
        let bytes = builder.bytes() + [0, 0, 0, 0]
        let error = try #require(#expect(throws: CheckpointError.self) { try open(bytes) })
        #expect(error.message.contains("the.tensor"))
        #expect(error.message.contains(word), "\(error)")
    }

    @Test(
        arguments: [
            "", "{", "[]", "null", "{\"a\":1}", "{\"a\":{\"dtype\":\"F32\"}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,99999999999999999999]}}",
            String(repeating: "[", count: 100_000),
            "{\"a\":" + String(repeating: "{\"b\":", count: 100_000),
        ])
    func `a header that is not what safetensors prescribes is refused`(header: String) throws {
        #expect(throws: CheckpointError.self) {
            try open(SafetensorsBuilder.file(header: header, data: [0, 0, 0, 0]))
        }
    }

    @Test(arguments: [3, 100_000_001, UInt64(Int.max), UInt64.max])
    func `a header length that the file cannot hold is not believed`(length: UInt64) throws {
        #expect(throws: CheckpointError.self) { try open(SafetensorsBuilder.file(header: "{}", length: length)) }
        #expect(throws: CheckpointError.self) { try open([1, 2, 3]) }
        #expect(throws: CheckpointError.self) { try open([]) }
    }
}
