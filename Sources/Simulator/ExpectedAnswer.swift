import Inference
import Scheduling

/// The answer to one choice of a request as the model gives it alone, token by token: the definition of right.
struct ExpectedAnswer {
    private let configuration: SchedulerConfiguration
    private let request: GenerationRequest
    private let choice: Int
    private var tokens: [Int32]
    private var chain: UInt64
    private var regime: RopeRegime
    private let poison: Poison?
    private let layerCount: Int
    /// Whether a position of what is known so far kills workers.
    private(set) var isPoisoned = false
    /// Why the answer is complete; nil while tokens are to come.
    private(set) var reason: FinishReason?

    /// The request brings its seed.
    init(
        _ request: GenerationRequest, choice: Int, configuration: SchedulerConfiguration, poison: Poison? = nil,
        layerCount: Int = 1
    ) {
        self.poison = poison
        self.layerCount = layerCount
        self.configuration = configuration
        self.request = request
        self.choice = choice
        tokens = request.prompt + request.generated
        regime = configuration.regime(length: tokens.count)
        chain = HashModel.beginning
        computeAll()
        reason = endReason()
    }

    /// The next token; nil when there is none.
    mutating func next() -> Int32? {
        guard reason == nil else { return nil }
        let token = HashModel.sample(
            chain, seed: request.seed ?? 0, choice: choice, vocabularySize: configuration.vocabularySize)
        tokens.append(token)
        let regime = configuration.regime(length: tokens.count)
        if regime == self.regime {
            compute(token)
        } else {
            // LongRoPE's crossing: everything is computed again with the other factors.
            self.regime = regime
            computeAll()
        }
        reason = endReason()
        return token
    }

    private mutating func computeAll() {
        chain = HashModel.beginning
        for token in tokens { compute(token) }
    }

    private mutating func compute(_ token: Int32) {
        chain = HashModel.extend(chain, token: token, regime: regime)
        if poison?.layer(chain, layerCount: layerCount) != nil { isPoisoned = true }
    }

    private func endReason() -> FinishReason? {
        let answer = tokens[request.prompt.count...]
        if let last = answer.last {
            if request.stopTokens.contains(last) { return .stop }
            if !request.ignoreEndOfSequence && configuration.endOfSequenceTokens.contains(last) { return .stop }
        }
        let limit = min(request.maxTokens ?? Int.max, configuration.contextLength - request.prompt.count)
        return answer.count >= limit ? .length : nil
    }
}
