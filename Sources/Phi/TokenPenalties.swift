import Inference
import Kernels

/// What a sequence's own tokens and the request's bias do to the logits: bias, then the repetition penalty, then the
/// frequency and presence penalties, in vLLM's order.
struct TokenPenalties {
    private let parameters: SamplingParameters
    private let vocabularyLimit: Int
    /// Occurrences of tokens in the answer so far; kept only when a penalty needs them.
    private var generatedCounts: [Int32: Int32] = [:]
    private var promptTokens: Set<Int32> = []

    init(parameters: SamplingParameters, prompt: [Int32], generated: [Int32], vocabularyLimit: Int) {
        self.parameters = parameters
        self.vocabularyLimit = vocabularyLimit
        if parameters.repetitionPenalty != 1 {
            promptTokens = Set(prompt.filter { $0 >= 0 && $0 < vocabularyLimit })
        }
        for token in generated { count(token) }
    }

    /// Whether the logits stay as they are.
    var changeNothing: Bool { !countsMatter && parameters.logitBias.isEmpty }

    private var countsMatter: Bool {
        parameters.repetitionPenalty != 1 || parameters.presencePenalty != 0 || parameters.frequencyPenalty != 0
    }

    /// Notes a token of the answer.
    mutating func count(_ token: Int32) {
        guard countsMatter, token >= 0, token < vocabularyLimit else { return }
        generatedCounts[token, default: 0] &+= 1
    }

    /// Changes the logits; each changed logit depends on its own token alone, so the order of tokens does not matter.
    func apply(to logits: UnsafeMutableBufferPointer<Float>) {
        for bias in parameters.logitBias where bias.token >= 0 && bias.token < vocabularyLimit {
            unsafe logits[Int(bias.token)] += bias.bias
        }
        if parameters.repetitionPenalty != 1 {
            for token in promptTokens { unsafe repel(token, in: logits) }
            for token in generatedCounts.keys where !promptTokens.contains(token) { unsafe repel(token, in: logits) }
        }
        if parameters.presencePenalty != 0 || parameters.frequencyPenalty != 0 {
            for (token, occurrences) in generatedCounts {
                let frequency = parameters.frequencyPenalty * Float(occurrences)
                unsafe logits[Int(token)] = (logits[Int(token)] - frequency) - parameters.presencePenalty
            }
        }
    }

    private func repel(_ token: Int32, in logits: UnsafeMutableBufferPointer<Float>) {
        let logit = unsafe logits[Int(token)]
        let penalty = parameters.repetitionPenalty
        unsafe logits[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
    }
}
