import Foundation
import TestSupport

@testable import Tokenization

/// The golden vectors beside these tests, and the readers that they need.
enum GoldenFiles {
    /// The bytes of a file in `Resources`.
    static func resource(_ name: String) throws -> [UInt8] {
        let url = Repository.root.appendingPathComponent("Tests/TokenizationTests/Resources/" + name)
        return Array(try Data(contentsOf: url))
    }

    /// The bytes of a fixture.
    static func fixture(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: Fixtures.file(path))) }

    /// One JSON value per line.
    static func lines<Row: Decodable>(_ bytes: [UInt8], as type: Row.Type) throws -> [Row] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try bytes.split(separator: 10).map { try decoder.decode(Row.self, from: Data($0)) }
    }

    /// One JSON document.
    static func document<Value: Decodable>(_ bytes: [UInt8], as type: Value.Type) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: Data(bytes))
    }
}

extension String {
    /// Scalar by scalar: `==` would call canonically equivalent texts equal.
    var scalars: [UInt32] { unicodeScalars.map(\.value) }
}

/// A seeded generator (SplitMix64), so that a failing case can be had again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
