import Foundation

/// Seeded mutations of a corpus, each handed to a parser. Inputs with an outcome that is new are mutated further.
///
/// The corpus of a target lies in `Tests/Corpus/TARGET`; all of it is replayed first. Past failures go there, too.
/// `PHALANX_FUZZ_SEED` replays a seed, `PHALANX_FUZZ_ROUNDS` sets how many mutations are made, and with
/// `PHALANX_FUZZ_KEEP` set, inputs with new outcomes are written to the corpus. Meant for a process of its own, so that
/// a crash fails one test: the input under way is at `inputPath(of:)` then.
public struct Fuzzer {
    /// An input that did what none may do.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Most memory in bytes beyond what the process had at the start; the inputs have a few kilobytes.
    private static let memoryLimit = 128 << 20
    /// Inputs that are mutated further, at most, and the longest of them in bytes.
    private static let corpusLimit = 1000
    private static let inputLimit = 8192

    private let target: String
    private let seed: UInt64
    private let executionCount: Int
    private let isKept: Bool
    private var corpus: [[UInt8]]
    private var outcomes: Set<String> = []
    private var random: SeededGenerator

    /// - Parameter seeds: sound inputs, beside those in the corpus.
    public init(_ target: String, seeds: [[UInt8]]) throws {
        let environment = ProcessInfo.processInfo.environment
        self.target = target
        seed = environment["PHALANX_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0x7068_616C_616E_7821
        executionCount = environment["PHALANX_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 10_000
        isKept = environment["PHALANX_FUZZ_KEEP"] != nil
        random = SeededGenerator(seed: seed)
        let files =
            FileManager.default.fileExists(atPath: Self.folder(of: target).path)
            ? try Repository.files(below: Self.folder(of: target), ["bin"]) : []
        corpus = try seeds + files.map { try [UInt8](Data(contentsOf: $0)) }
        try ProcessMemory.limit(beyondNow: Self.memoryLimit)
    }

    private static func folder(of target: String) -> URL {
        Repository.tests.appendingPathComponent("Corpus/\(target)", isDirectory: true)
    }

    /// Where the input lies that a target was working on when its process ended.
    public static func inputPath(of target: String) -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("phalanx-fuzz-\(target).bin").path
    }

    /// Runs the corpus and then the mutations.
    ///
    /// - Parameters:
    ///   - prefix: bytes at the beginning that most mutations leave alone.
    ///   - execute: gives the outcome of an input in a few words; what it throws is a failure.
    public mutating func run(keeping prefix: Int = 0, _ execute: ([UInt8]) throws -> String) throws {
        for input in corpus { outcomes.insert(try outcome(of: input, execute)) }
        let known = outcomes.count
        for _ in 0..<executionCount {
            let start = corpus[Int.random(in: corpus.indices, using: &random)]
            let isKeeping = Int.random(in: 0..<8, using: &random) > 0
            let input = mutate(start, keeping: isKeeping ? prefix : 0)
            guard outcomes.insert(try outcome(of: input, execute)).inserted else { continue }
            if input.count <= Self.inputLimit, corpus.count < Self.corpusLimit { corpus.append(input) }
            if isKept { try keep(input) }
        }
        try? FileManager.default.removeItem(atPath: Self.inputPath(of: target))
        print(
            "fuzz \(target): seed \(seed), \(executionCount) mutations, \(known) outcomes of the corpus, \(outcomes.count) in all"
        )
        // Mutations that all fare alike would test little.
        guard outcomes.count > 3 else { throw Failure(description: "\(target): all inputs fared alike: \(outcomes)") }
    }

    private func outcome(of input: [UInt8], _ execute: ([UInt8]) throws -> String) throws -> String {
        let path = Self.inputPath(of: target)
        try Data(input).write(to: URL(fileURLWithPath: path))
        do {
            return try execute(input)
        } catch {
            throw Failure(description: "\(target), seed \(seed), the input at \(path): \(error)")
        }
    }

    private func keep(_ input: [UInt8]) throws {
        let folder = Self.folder(of: target)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // FNV-1a: a name that says what is in it.
        let hash = input.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        try Data(input).write(to: folder.appendingPathComponent(String(hash, radix: 16) + ".bin"))
    }

    /// Numbers that parsers stumble over, little-endian and big-endian.
    private static let nasty: [[UInt8]] = [
        [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0x7F], [0x80, 0, 0, 0],
        [0, 0, 0, 0x80], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], [0x80, 0x80, 0x80, 0x80, 1],
        [0, 0, 1],
        [0, 0x40, 0],
    ]

    private mutating func byte() -> UInt8 { UInt8.random(in: 0...255, using: &random) }

    private mutating func mutate(_ input: [UInt8], keeping prefix: Int) -> [UInt8] {
        var bytes = input
        for _ in 0...Int.random(in: 0..<5, using: &random) {
            guard bytes.count > prefix else { return bytes + [byte()] }
            let place = Int.random(in: prefix..<bytes.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: bytes[place] = byte()
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2:
                for (offset, value) in (Self.nasty.randomElement(using: &random) ?? []).enumerated()
                where place + offset < bytes.count { bytes[place + offset] = value }
            case 3:
                let count = min(bytes.count - place, Int.random(in: 1...20, using: &random))
                bytes.removeSubrange(place..<place + count)
            case 4:
                let count = min(bytes.count - place, Int.random(in: 1...60, using: &random))
                bytes.insert(contentsOf: bytes[place..<place + count], at: place)
            case 5:
                for _ in 0..<Int.random(in: 1...16, using: &random) { bytes.insert(byte(), at: place) }
            case 6:
                // The end of another input: what is sound alone need not be so together.
                let other = corpus[Int.random(in: corpus.indices, using: &random)]
                guard !other.isEmpty else { continue }
                bytes.replaceSubrange(place..., with: other[Int.random(in: other.indices, using: &random)...])
            default: bytes.removeSubrange(place...)
            }
        }
        return bytes
    }
}
