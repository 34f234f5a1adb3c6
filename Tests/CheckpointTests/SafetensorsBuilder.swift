import Foundation

/// Writes safetensors files for tests.
struct SafetensorsBuilder {
    private var entries: [String] = []
    private var data: [UInt8] = []

    /// A tensor of F32 numbers 0, 1, 2, ...
    mutating func floats(_ name: String, _ shape: [Int]) {
        let start = data.count
        for index in 0..<shape.reduce(1, *) { data += GGUFBuilder.little(Float(index).bitPattern) }
        raw(name, "F32", shape, start, data.count)
    }

    /// A header entry without data.
    mutating func raw(_ name: String, _ dtype: String, _ shape: [Int], _ start: Int, _ end: Int) {
        entries.append("\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(start),\(end)]}")
    }

    /// The file's bytes.
    func bytes() -> [UInt8] {
        let header = "{\"__metadata__\":{\"format\":\"pt\"}" + entries.map { "," + $0 }.joined() + "}"
        return Self.file(header: header, data: data)
    }

    /// A file of any header text.
    static func file(header: String, length: UInt64? = nil, data: [UInt8] = []) -> [UInt8] {
        GGUFBuilder.little(length ?? UInt64(header.utf8.count)) + Array(header.utf8) + data
    }
}
