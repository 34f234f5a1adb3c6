import Foundation

/// The load that a server is measured under: requests of one size, many at a time.
public struct LoadPlan: Sendable, Hashable {
    /// What a request asks to be continued.
    public enum Prompt: Sendable, Hashable {
        case tokens([Int32])
        case text(String)
    }

    /// The most requests under way at the same time.
    public var concurrency = 8
    /// Requests that are measured.
    public var requestCount = 16
    /// Requests of the same size before them, which are not measured.
    public var warmupCount = 1
    public var promptTokenCount = 256
    /// Tokens with which every prompt begins alike; the rest differs.
    public var sharedPrefixTokenCount = 0
    public var outputTokenCount = 64
    /// How many requests are sent per second on average, at random instants; nil to send one whenever another ends.
    public var requestsPerSecond: Double?
    /// Prompts of short words, about one token each, instead of token ids.
    public var sendsText = false
    /// The same seed makes the same prompts and instants.
    public var seed: UInt64 = 0

    /// Bounds of the numbers that users give.
    public static let maxConcurrency = 4096
    public static let maxRequestCount = 1_000_000
    public static let maxTokenCount = 1_000_000
    /// The instant of each piece of an answer is kept.
    public static let maxPieceCount = 50_000_000

    /// Ids that every model has whose tokenizer is a real one, and that are ordinary pieces of text there: special tokens
    /// and single bytes lie below or far above.
    static let tokenIDs: Range<Int32> = 300..<1000

    static let words = [
        "time", "year", "people", "way", "day", "man", "thing", "life", "child", "world", "school", "state", "family",
        "group", "country", "problem", "hand", "part", "place", "case", "week", "company", "system", "program",
        "question", "work", "number", "night", "point", "home", "water", "room", "area", "money", "story", "fact",
    ]

    public init() {}

    /// Throws `BenchError` when a number is impossible.
    public func check() throws {
        let limits: [(String, Int, ClosedRange<Int>)] = [
            ("--concurrency", concurrency, 1...Self.maxConcurrency),
            ("--requests", requestCount, 1...Self.maxRequestCount), ("--warmup", warmupCount, 0...Self.maxRequestCount),
            ("--prompt-tokens", promptTokenCount, 1...Self.maxTokenCount),
            ("--max-tokens", outputTokenCount, 1...Self.maxTokenCount),
        ]
        for (flag, value, range) in limits where !range.contains(value) {
            throw BenchError("\(flag) \(value) is not possible: \(range.lowerBound) to \(range.upperBound)")
        }
        guard (0...promptTokenCount).contains(sharedPrefixTokenCount) else {
            throw BenchError(
                "--shared-prefix \(sharedPrefixTokenCount) is not possible: 0 to \(promptTokenCount), the prompt's length"
            )
        }
        if let requestsPerSecond, !(requestsPerSecond >= 0.001 && requestsPerSecond <= 1e6) {
            throw BenchError("--rate \(requestsPerSecond) is not possible: 0.001 to 1000000 requests per second")
        }
        guard requestCount * outputTokenCount <= Self.maxPieceCount else {
            throw BenchError(
                "--requests \(requestCount) with --max-tokens \(outputTokenCount) are more than "
                    + "\(Self.maxPieceCount) tokens to remember; choose less")
        }
    }

    /// The prompt of a request; those of the warm-up have the numbers from `requestCount` on.
    public func prompt(ofRequest number: Int) -> Prompt {
        var common = SplitMix64(seed: SplitMix64.mixed(seed))
        var own = SplitMix64(seed: SplitMix64.mixed(seed) &+ SplitMix64.mixed(UInt64(number) &+ 1))
        let draws = (0..<promptTokenCount).map { $0 < sharedPrefixTokenCount ? common.next() : own.next() }
        if sendsText {
            return .text(draws.map { Self.words[Int($0 % UInt64(Self.words.count))] }.joined(separator: " "))
        }
        return .tokens(draws.map { Self.tokenIDs.lowerBound + Int32($0 % UInt64(Self.tokenIDs.count)) })
    }

    /// When each request may be sent at the earliest, in seconds after the beginning: all at once, or as a Poisson process
    /// of the rate.
    public func arrivals() -> [Double] {
        guard let requestsPerSecond else { return Array(repeating: 0, count: requestCount) }
        var random = SplitMix64(seed: ~seed)
        var next = 0.0
        return (0..<requestCount).map { _ in
            defer { next -= log(Double((random.next() >> 11) + 1) * 0x1p-53) / requestsPerSecond }
            return next
        }
    }
}
