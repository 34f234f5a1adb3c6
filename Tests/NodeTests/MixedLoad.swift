import Checkpoint
import Foundation
import Inference
import TestSupport

/// Requests of all kinds, and what each choice of one gave.
struct MixedLoad {
    struct Choice: Hashable, Sendable {
        var ids: [Int32] = []
        /// Bit patterns of the log-probabilities and the ids of their alternatives.
        var bits: [UInt32] = []
        var reason: FinishReason?
    }

    struct Outcome: Sendable {
        var choices: [Int: Choice] = [:]
        var promptBits: [UInt32] = []
        var usage: GenerationUsage?
    }

    /// A request, after how many tokens its client goes away, if it does, and after how many of its first choice the
    /// client gives that one up, as a gateway does at a stop string.
    struct Entry: Sendable {
        let request: GenerationRequest
        let patience: Int?
        var choicePatience: Int?
    }

    let entries: [Entry]

    /// - Parameters:
    ///   - vocabularySize: ids from 3 up to it are used.
    ///   - contextLength: of the cluster; no request is longer.
    init(count: Int, vocabularySize: Int32, contextLength: Int, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        entries = (0..<count).map { number in
            let request = Self.request(number, vocabularySize, contextLength, &random)
            let goes = Int.random(in: 0..<8, using: &random) == 0
            let givesUp = !goes && Int.random(in: 0..<4, using: &random) == 0
            return Entry(
                request: request, patience: goes ? Int.random(in: 0...6, using: &random) : nil,
                choicePatience: givesUp ? Int.random(in: 1...20, using: &random) : nil)
        }
    }

    private static func request(
        _ number: Int, _ vocabularySize: Int32, _ contextLength: Int, _ random: inout SeededGenerator
    ) -> GenerationRequest {
        let promptCount = Int.random(in: 1...contextLength * 2 / 3, using: &random)
        let kind = Int32.random(in: 0..<4, using: &random)
        let sharedCount = Int.random(in: 0..<3, using: &random) == 0 ? promptCount * 3 / 4 : promptCount
        let isOwn = Bool.random(using: &random)
        let prompt = (0..<promptCount).map { position -> Int32 in
            guard isOwn || position >= sharedCount else {
                return 3 + (Int32(position) &* 31 &+ kind &* 101) % (vocabularySize - 3)
            }
            return Int32.random(in: 3..<vocabularySize, using: &random)
        }
        let isGreedy = Int.random(in: 0..<3, using: &random) == 0
        let sampling = SamplingParameters(
            temperature: isGreedy ? 0 : Float.random(in: 0.5...1.5, using: &random),
            topK: Bool.random(using: &random) ? 0 : 40, topP: Bool.random(using: &random) ? 1 : 0.9,
            minP: Bool.random(using: &random) ? 0 : 0.02, presencePenalty: Bool.random(using: &random) ? 0 : 0.5,
            frequencyPenalty: Bool.random(using: &random) ? 0 : 0.3,
            repetitionPenalty: Bool.random(using: &random) ? 1 : 1.2,
            logitBias: Bool.random(using: &random) ? [] : [LogitBias(token: 3 + Int32(number % 90), bias: 4)])
        let room = contextLength - promptCount
        let stops = Int.random(in: 0..<4, using: &random) == 0
        return GenerationRequest(
            id: RequestID("mixed-\(number)"), prompt: prompt,
            choiceCount: Int.random(in: 0..<5, using: &random) == 0 ? 3 : 1,
            maxTokens: Int.random(in: 0..<4, using: &random) == 0
                ? nil : Int.random(in: 1...min(room, 60), using: &random),
            sampling: sampling, seed: UInt64(number), ignoreEndOfSequence: Bool.random(using: &random),
            stopTokens: stops ? (0..<40).map { 3 + Int32($0) * (vocabularySize / 45) } : [],
            logprobCount: Bool.random(using: &random) ? nil : 3,
            promptLogprobCount: Int.random(in: 0..<6, using: &random) == 0 ? 2 : nil,
            client: ["", "a", "b"][number % 3], priority: Int.random(in: 0...1, using: &random),
            cacheSalt: Int.random(in: 0..<6, using: &random) == 0 ? "salt" : nil)
    }

    /// Bytes of keys and values of so many pages.
    static func kvByteCount(_ path: String, pageCount: Int) throws -> Int {
        let model = try Checkpoint.open(path).configuration
        return pageCount * KVPage.positionCount * model.layerCount * 2 * model.kvHeadCount
            * KVType.f16.byteCount(headSize: model.headDimension)
    }
}

extension Engine {
    /// Runs a request to its end, or until its client has lost patience.
    func outcome(of entry: MixedLoad.Entry) async throws -> MixedLoad.Outcome {
        func bits(_ score: ScoredToken) -> [UInt32] {
            [score.logprob.bitPattern] + score.top.flatMap { [UInt32(bitPattern: $0.token), $0.logprob.bitPattern] }
        }
        var outcome = MixedLoad.Outcome()
        var tokenCount = 0
        let stream = try await generate(entry.request)
        for try await event in stream.events {
            switch event {
            case .queued, .prefilled, .embedding: break
            case .promptLogprobs(let scores): outcome.promptBits = scores.flatMap(bits)
            case .token(let choice, let score):
                outcome.choices[choice, default: MixedLoad.Choice()].ids.append(score.token)
                outcome.choices[choice, default: MixedLoad.Choice()].bits += bits(score)
                tokenCount += 1
                if choice == 0 && outcome.choices[0]?.ids.count == entry.choicePatience { stream.cancelChoice(0) }
            case .finished(let choice, let reason):
                outcome.choices[choice, default: MixedLoad.Choice()].reason = reason
            case .completed(let usage): outcome.usage = usage
            }
            if let patience = entry.patience, tokenCount >= patience { break }
        }
        return outcome
    }
}
