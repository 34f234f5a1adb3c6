import Inference

/// What a request cost, in tokens.
struct AnswerUsage: Hashable, Sendable {
    var promptTokenCount = 0
    var completionTokenCount = 0
    var cachedTokenCount = 0
    /// From the engine's first step to the first token, and from there to the last, in milliseconds; of several
    /// prompts the sums.
    var prefillMilliseconds = 0.0
    var decodeMilliseconds = 0.0

    var json: JSONValue {
        [
            "prompt_tokens": JSONValue(promptTokenCount),
            "completion_tokens": JSONValue(completionTokenCount),
            "total_tokens": JSONValue(promptTokenCount + completionTokenCount),
            "prompt_tokens_details": ["cached_tokens": JSONValue(cachedTokenCount)],
        ]
    }
}

/// Turns the engine's events for all prompts of a request into what is new in its choices.
///
/// Choices are numbered prompt by prompt, as OpenAI does.
struct AnswerAssembly: Sendable {
    /// What one event brought.
    struct Progress: Sendable {
        var deltas: [(choice: Int, delta: ChoiceDelta)] = []
        /// Choices (as the engine numbers them) that a stop string ended, for the engine to give up.
        var stopped: [Int] = []
    }

    private let job: AnswerJob
    private var choices: [ChoiceAssembler]
    private var isEchoed: [Bool]
    private var engineUsage = AnswerUsage()

    init(_ job: AnswerJob) {
        self.job = job
        let ends = (job.shared.ignoreEndOfSequence ? [] : job.model.endOfSequenceTokens) + job.shared.stopTokens
        let choice = ChoiceAssembler(
            text: job.codec.makeTextStream(continuing: job.continuesText && !job.echoes),
            stops: job.shared.stops, filter: job.filter, endTokens: Set(ends), listsEndToken: job.listsEndToken)
        choices = Array(repeating: choice, count: job.choiceCount)
        isEchoed = Array(repeating: !job.echoes, count: job.prompts.count)
    }

    /// Takes the next event of a prompt. Throws `EngineError` when the engine gave a choice up by itself.
    mutating func consume(_ event: GenerationEvent, promptIndex: Int) throws -> Progress {
        var progress = Progress()
        switch event {
        case .queued, .prefilled: break
        case .promptLogprobs(let scores):
            echo(promptIndex, scores: scores, into: &progress)
        case .embedding(let embedding):
            progress.add(ChoiceDelta(embedding: embedding), choice: try index(of: 0, promptIndex: promptIndex))
        case .token(let choice, let scored):
            echo(promptIndex, scores: [], into: &progress)
            let index = try index(of: choice, promptIndex: promptIndex)
            let delta = choices[index].append(scored)
            if delta.end != nil { progress.stopped.append(choice) }
            progress.add(delta, choice: index)
        case .finished(let choice, let reason):
            echo(promptIndex, scores: [], into: &progress)
            let index = try index(of: choice, promptIndex: promptIndex)
            try finish(index, reason, into: &progress)
        case .completed(let usage):
            echo(promptIndex, scores: [], into: &progress)
            for choice in 0..<job.shared.choiceCount {
                try finish(promptIndex * job.shared.choiceCount + choice, .length, into: &progress)
            }
            engineUsage.cachedTokenCount += usage.cachedTokenCount
            engineUsage.prefillMilliseconds += usage.prefillMilliseconds
            engineUsage.decodeMilliseconds += usage.decodeMilliseconds
        }
        return progress
    }

    var usage: AnswerUsage {
        var usage = engineUsage
        usage.promptTokenCount = job.prompts.reduce(0) { $0 + $1.count }
        usage.completionTokenCount = choices.reduce(0) { $0 + $1.tokenCount }
        return usage
    }

    private func index(of choice: Int, promptIndex: Int) throws -> Int {
        guard (0..<job.shared.choiceCount).contains(choice) else {
            throw EngineError(
                code: .internal, message: "The engine answered for choice \(choice), which nobody asked for.")
        }
        return promptIndex * job.shared.choiceCount + choice
    }

    private mutating func finish(_ index: Int, _ reason: FinishReason, into progress: inout Progress) throws {
        guard choices[index].end == nil else { return }
        switch reason {
        case .stop: progress.add(choices[index].finish(.stop), choice: index)
        case .length: progress.add(choices[index].finish(.length), choice: index)
        case .cancelled: throw EngineError(code: .cancelled, message: "The request was cancelled by the server.")
        }
    }

    private mutating func echo(_ promptIndex: Int, scores: [ScoredToken], into progress: inout Progress) {
        guard !isEchoed[promptIndex] else { return }
        isEchoed[promptIndex] = true
        for choice in 0..<job.shared.choiceCount {
            let index = promptIndex * job.shared.choiceCount + choice
            progress.add(choices[index].echo(prompt: job.prompts[promptIndex], scores: scores), choice: index)
        }
    }
}

extension AnswerAssembly.Progress {
    mutating func add(_ delta: ChoiceDelta, choice: Int) {
        if !delta.isEmpty { deltas.append((choice, delta)) }
    }
}
