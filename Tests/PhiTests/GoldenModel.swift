import Checkpoint
import Foundation
import TestSupport
import Testing

/// What a correct engine computes with a golden model; see the fixtures' README.
struct GoldenExpectations: Decodable {
    struct Entry: Decodable {
        let name: String
        let promptIds: [Int32]
        let promptLogprobs: [Float?]
        let top5Last: [[Double]]?
        let greedyIds: [Int32]
        let greedyLogprobs: [Float]
        let noise: [String: Noise]?
    }

    struct Noise: Decodable {
        let max: Float
        let mean: Float
        let sameGreedy: Bool
    }

    struct LongRope: Decodable {
        let longSide: [Entry]?
        let crossing: Crossing?
    }

    struct Crossing: Decodable {
        let entries: [Entry]?
    }

    struct DebugStates: Decodable {
        struct State: Decodable {
            let stage: String
            let l2: Double
            let first8: [Double]
        }

        let prompt: String
        let states: [State]
    }

    let prompts: [Entry]
    let robustPrompts: [Entry]?
    let longrope: LongRope?
    let debugStates: DebugStates?
}

/// A golden model: a checkpoint and its expectations.
struct GoldenModel: CustomTestStringConvertible, Sendable {
    /// How exactly the weights' own arithmetic follows the reference.
    enum Arithmetic {
        /// Float weights, float32 activations.
        case float
        /// int8 activations in blocks of 32.
        case blocks32
        /// int8 activations in blocks of 256.
        case blocks256
    }

    /// Below the fixtures' `models`.
    let path: String
    let arithmetic: Arithmetic

    var testDescription: String { path }

    var isGGUF: Bool { path.hasSuffix(".gguf") }

    /// The checkpoint, opened.
    func checkpoint() throws -> Checkpoint { try Checkpoint.open(Fixtures.model(path).path) }

    func expectations() throws -> GoldenExpectations {
        let file =
            isGGUF ? path.replacingOccurrences(of: ".gguf", with: ".expected.json") : path + "/expected.json"
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(GoldenExpectations.self, from: Data(contentsOf: Fixtures.model(file)))
    }

    static let float: [GoldenModel] = [
        "phi3-mini-like", "phi3-medium-like", "phi3-128k-like", "phi4-mini-like",
        "gguf-phi3-float-like/phi-3-like-F32.gguf", "gguf-phi3-float-like/phi-3-like-F16.gguf",
        "gguf-phi3-float-like/phi-3-like-BF16.gguf", "gguf-phi3-128k-like/phi-3-128k-like-F16.gguf",
    ].map { GoldenModel(path: $0, arithmetic: .float) }

    static let quantized: [GoldenModel] = [
        GoldenModel(path: "gguf-phi3-like/phi-3-like-Q8_0.gguf", arithmetic: .blocks32),
        GoldenModel(path: "gguf-phi3-like/phi-3-like-Q4_0.gguf", arithmetic: .blocks32),
        GoldenModel(path: "gguf-phi3-like/phi-3-like-Q4_K_M.gguf", arithmetic: .blocks256),
        GoldenModel(path: "gguf-phi3-like/phi-3-like-Q5_K_M.gguf", arithmetic: .blocks256),
        GoldenModel(path: "gguf-phi3-like/phi-3-like-Q6_K.gguf", arithmetic: .blocks256),
        GoldenModel(path: "gguf-phi4-mini-like/phi-4-mini-like-Q8_0.gguf", arithmetic: .blocks32),
    ]
}

/// The differences between what was computed and what was expected, over the tokens of an entry.
struct LogprobDifference {
    private(set) var largest: Float = 0
    private var sum: Float = 0
    private var count = 0

    var mean: Float { count == 0 ? 0 : sum / Float(count) }

    mutating func add(_ computed: Float, expected: Float) {
        let difference = abs(computed - expected)
        // A NaN must not slip through.
        largest = difference <= largest ? largest : difference
        sum += difference
        count += 1
    }
}
