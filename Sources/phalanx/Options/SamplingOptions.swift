import ArgumentParser
import Inference

/// How tokens are chosen.
struct SamplingOptions: ParsableArguments {
    @Option(help: "0 always takes the likeliest token.")
    var temperature: Float = 1

    @Option(help: "Only the K likeliest tokens; 0 means all.")
    var topK: Int = 0

    @Option(help: "The smallest set of likeliest tokens with this probability.")
    var topP: Float = 1

    @Option(help: "Only tokens at least this fraction as likely as the likeliest.")
    var minP: Float = 0

    @Option(help: "Penalty for tokens seen so far; 1 means none.")
    var repetitionPenalty: Float = 1

    @Option(help: "Makes sampled answers repeatable (default: drawn).")
    var seed: UInt64?

    mutating func validate() throws {
        let limits: [(String, Bool, String)] = [
            ("--temperature", (0...100).contains(temperature), "between 0 and 100"),
            ("--top-k", topK >= 0, "at least 0"),
            ("--top-p", topP > 0 && topP <= 1, "above 0 and at most 1"),
            ("--min-p", (0...1).contains(minP), "between 0 and 1"),
            ("--repetition-penalty", repetitionPenalty > 0 && repetitionPenalty.isFinite, "above 0"),
        ]
        for (flag, isRight, rule) in limits where !isRight { throw ValidationError("\(flag) must be \(rule).") }
    }

    var parameters: SamplingParameters {
        SamplingParameters(
            temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty)
    }
}
