import Inference

/// A model whose next token is a hash of everything that it sees: any wrong page, position, regime or seed shows.
struct ToyModel {
    static let vocabularySize = 50
    /// Token 0 ends answers.
    static let endToken: Int32 = 0

    /// What one position leaves in the cache.
    struct Entry: Hashable {
        let token: Int32
        let position: Int
        let regime: RopeRegime
    }

    static func hash(_ visible: [Entry], salt: UInt64) -> UInt64 {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325 ^ salt
        func mix(_ value: UInt64) {
            state = (state ^ value) &* 0x0000_0100_0000_01B3
            state ^= state >> 29
        }
        for entry in visible {
            mix(UInt64(bitPattern: Int64(entry.token)))
            mix(UInt64(entry.position))
            mix(UInt64(entry.regime.rawValue))
        }
        mix(UInt64(visible.count))
        return state
    }

    static func sample(_ visible: [Entry], seed: UInt64, choice: Int, logprobCount: Int?) -> ScoredToken {
        let value = hash(visible, salt: seed &* 31 &+ UInt64(choice))
        return scored(Int32(value >> 33 % UInt64(vocabularySize)), value, alternatives: logprobCount ?? 0)
    }

    /// The score of `token` after the visible entries.
    static func score(_ token: Int32, after visible: [Entry], logprobCount: Int) -> ScoredToken {
        scored(token, hash(visible, salt: 7), alternatives: logprobCount)
    }

    private static func scored(_ token: Int32, _ value: UInt64, alternatives: Int) -> ScoredToken {
        let top = (0..<alternatives).map { index in
            TokenLogprob(token: Int32(index), logprob: -Float((value >> UInt64(index)) & 255))
        }
        return ScoredToken(token: token, logprob: -Float(value & 0xFFFF) / 4096, top: top)
    }

    /// What a request gives when nothing else goes on and nothing is cached or cut: the definition of right.
    struct Answer: Equatable {
        var tokens: [ScoredToken] = []
        var reason = FinishReason.length
    }

    static func answer(
        _ request: GenerationRequest, choice: Int, seed: UInt64, regime: (Int) -> RopeRegime, contextLength: Int
    ) -> Answer {
        var tokens = request.prompt + request.generated
        var answer = Answer()
        let limit = min(request.maxTokens ?? Int.max, contextLength - request.prompt.count)
        func isEnd(_ token: Int32) -> Bool {
            request.stopTokens.contains(token) || (token == endToken && !request.ignoreEndOfSequence)
        }
        if let last = request.generated.last, isEnd(last) { return Answer(tokens: [], reason: .stop) }
        while tokens.count - request.prompt.count < limit {
            let visible = entries(tokens[...], regime(tokens.count))
            let next = sample(visible, seed: seed, choice: choice, logprobCount: request.logprobCount)
            answer.tokens.append(next)
            tokens.append(next.token)
            if isEnd(next.token) {
                answer.reason = .stop
                break
            }
        }
        return answer
    }

    static func scores(_ request: GenerationRequest, regime: (Int) -> RopeRegime) -> [ScoredToken] {
        let wanted = request.promptLogprobCount ?? 0
        let all = entries(request.prompt[...], regime(request.prompt.count))
        return (1..<request.prompt.count).map { position in
            score(request.prompt[position], after: Array(all[..<position]), logprobCount: wanted)
        }
    }

    static func entries(_ tokens: ArraySlice<Int32>, _ regime: RopeRegime) -> [Entry] {
        tokens.enumerated().map { Entry(token: $1, position: $0, regime: regime) }
    }
}
