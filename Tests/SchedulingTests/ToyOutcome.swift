import Inference
import Testing

@testable import Scheduling

/// What a request got.
struct ToyOutcome {
    var tokens: [Int: [ScoredToken]] = [:]
    var finished: [Int: FinishReason] = [:]
    var scores: [ScoredToken]?
    var embedding: [Float]?
    var usage: GenerationUsage?
    var error: EngineError?
    /// Events that break the promised order.
    var problems: [String] = []

    mutating func record(_ event: SchedulerEvent, of request: GenerationRequest?) {
        if usage != nil || error != nil { problems.append("\(event) after the end") }
        switch event {
        case .failed(_, let error): self.error = error
        case .event(_, .token(let choice, let token)):
            if finished[choice] != nil { problems.append("a token after the end of choice \(choice)") }
            if request?.promptLogprobCount != nil && scores == nil { problems.append("a token before the scores") }
            tokens[choice, default: []].append(token)
        case .event(_, .finished(let choice, let reason)):
            if finished[choice] != nil { problems.append("choice \(choice) ended twice") }
            finished[choice] = reason
        case .event(_, .promptLogprobs(let scores)):
            if self.scores != nil { problems.append("scores came twice") }
            self.scores = scores
        case .event(_, .embedding(let embedding)):
            if self.embedding != nil { problems.append("an embedding came twice") }
            self.embedding = embedding
        case .event(_, .completed(let usage)): self.usage = usage
        case .event(_, .queued), .event(_, .prefilled): break
        }
    }

    /// Holds the outcome against plain generation.
    func check(
        _ request: GenerationRequest, _ configuration: SchedulerConfiguration, seed: UInt64,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(problems == [], "seed \(seed)", sourceLocation: sourceLocation)
        #expect(error == nil, "seed \(seed)", sourceLocation: sourceLocation)
        #expect(usage != nil, "seed \(seed)", sourceLocation: sourceLocation)
        for choice in 0..<request.choiceCount {
            let expected = ToyModel.answer(
                request, choice: choice, seed: request.seed ?? 0, regime: configuration.regime(length:),
                contextLength: configuration.contextLength)
            let tokens = tokens[choice] ?? []
            if finished[choice] == .cancelled {
                #expect(
                    tokens == Array(expected.tokens.prefix(tokens.count)), "seed \(seed)",
                    sourceLocation: sourceLocation)
            } else {
                #expect(tokens == expected.tokens, "seed \(seed)", sourceLocation: sourceLocation)
                #expect(finished[choice] == expected.reason, "seed \(seed)", sourceLocation: sourceLocation)
            }
        }
        if request.wantsEmbedding {
            let expected = request.prompt.map { Float($0) }
            #expect(
                embedding == expected || embedding == nil && finished.values.contains(.cancelled), "seed \(seed)",
                sourceLocation: sourceLocation)
        }
        if let scores {
            let expected = ToyModel.scores(request, regime: configuration.regime(length:))
            #expect(scores == expected, "seed \(seed)", sourceLocation: sourceLocation)
        } else if request.promptLogprobCount != nil {
            #expect(
                finished.values.contains(.cancelled) || !request.generated.isEmpty, "seed \(seed): no scores",
                sourceLocation: sourceLocation)
        }
    }
}
