import Foundation
import Inference

/// What the clients of a simulation ask for.
public struct Traffic: Hashable, Sendable {
    public enum Arrival: Hashable, Sendable {
        /// So many clients, each of which asks anew as soon as it has its answer.
        case clients(Int)
        /// At random (exponential) distances.
        case perSecond(Double)
    }

    public var requestCount: Int
    public var arrival: Arrival
    public var promptTokenCount: ClosedRange<Int>
    public var answerTokenCount: ClosedRange<Int>
    /// Tokens with which every prompt begins alike, as with a common system prompt.
    public var sharedTokenCount: Int
    /// Whether requests vary in all that they may ask for: several choices, end tokens, cancelling.
    public var isMixed: Bool

    public init(
        requestCount: Int, arrival: Arrival, promptTokenCount: ClosedRange<Int>, answerTokenCount: ClosedRange<Int>,
        sharedTokenCount: Int = 0, isMixed: Bool = false
    ) {
        precondition(requestCount > 0 && promptTokenCount.lowerBound > 0 && answerTokenCount.lowerBound > 0)
        self.requestCount = requestCount
        self.arrival = arrival
        self.promptTokenCount = promptTokenCount
        self.answerTokenCount = answerTokenCount
        self.sharedTokenCount = sharedTokenCount
        self.isMixed = isMixed
    }

    /// The request of this number; the same seed gives the same one whatever happened before.
    func request(_ number: Int, seed: UInt64, vocabularySize: Int) -> GenerationRequest {
        var random = SimulatedRandom(seed: seed, stream: UInt64(number) &+ 1000)
        var common = SimulatedRandom(seed: seed, stream: 1)
        let promptCount = Int.random(in: promptTokenCount, using: &random)
        let prompt = (0..<promptCount).map { position in
            let shared = Int32.random(in: 0..<Int32(vocabularySize), using: &common)
            let own = Int32.random(in: 0..<Int32(vocabularySize), using: &random)
            return position < sharedTokenCount ? shared : own
        }
        return GenerationRequest(
            id: RequestID("\(number)"), prompt: prompt,
            choiceCount: isMixed && random.chance(0.25) ? Int.random(in: 2...3, using: &random) : 1,
            maxTokens: Int.random(in: answerTokenCount, using: &random), seed: random.next(),
            ignoreEndOfSequence: !isMixed || random.chance(0.5))
    }

    /// After how many tokens the client of a request goes away; nil for one that stays.
    func patience(_ number: Int, seed: UInt64) -> Int? {
        guard isMixed else { return nil }
        var random = SimulatedRandom(seed: seed, stream: UInt64(number) &+ 0x1000_0000_0000)
        return random.chance(0.1) ? Int.random(in: 0...answerTokenCount.upperBound, using: &random) : nil
    }

    /// Milliseconds from one arrival to the next, which do not depend on each other.
    func distance(perSecond: Double, using random: inout SimulatedRandom) -> Double {
        -log(1 - random.fraction()) / perSecond * 1000
    }
}
