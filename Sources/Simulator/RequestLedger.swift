import Inference
import Scheduling

/// What every request got, held against what it must get, and when it got it.
struct RequestLedger {
    private struct Choice {
        var expected: ExpectedAnswer
        var finished: FinishReason?
        var tokenCount = 0
        var lastTokenMilliseconds: Double?
    }

    private struct Live {
        let number: Int
        let promptTokenCount: Int
        let askedMilliseconds: Double
        /// Before it came.
        let suspicionCount: Int
        var choices: [Choice]
        var hasBegun = false
        /// Tokens that are still to be served, prompt included, at most.
        var outstandingCount: Int
        /// So much may be served to all together before something must happen here.
        var servedLimit: Int
        /// When something happened last.
        var heardMilliseconds: Double
    }

    let configuration: SchedulerConfiguration
    private let poison: Poison?
    private let layerCount: Int
    /// With one pipeline, what is served to others tells how long a request may wait. Of several one may hang, unnoticed
    /// for a while, as others serve.
    private let hasOnePipeline: Bool
    private var live: [RequestTicket: Live] = [:]
    private(set) var statistics = RequestStatistics()
    /// Prompt and answer tokens that were served, each once.
    private var servedCount = 0
    private var outstandingCount = 0
    private var lastCheckCount = 0

    private static let checkDistance = 512
    /// A request that ends since workers fail on it was in flight in so many failures, at least.
    private static let isolatedFailureCount = 3

    init(
        configuration: SchedulerConfiguration, hasOnePipeline: Bool = true, poison: Poison? = nil, layerCount: Int = 1
    ) {
        self.poison = poison
        self.layerCount = layerCount
        self.configuration = configuration
        self.hasOnePipeline = hasOnePipeline
    }

    var liveCount: Int { live.count }

    /// A request was taken.
    ///
    /// - Parameters:
    ///   - askedMilliseconds: when the client asked for the first time.
    ///   - suspicionCount: failures that were laid to requests before.
    mutating func add(
        _ request: GenerationRequest, _ ticket: RequestTicket, number: Int, askedMilliseconds: Double,
        suspicionCount: Int = 0
    ) {
        let choices = (0..<request.choiceCount).map { choice in
            Choice(
                expected: ExpectedAnswer(
                    request, choice: choice, configuration: configuration, poison: poison, layerCount: layerCount))
        }
        let answerCount = (request.maxTokens ?? configuration.contextLength) * request.choiceCount
        let outstanding = request.prompt.count + answerCount
        outstandingCount += outstanding
        live[ticket] = Live(
            number: number, promptTokenCount: request.prompt.count, askedMilliseconds: askedMilliseconds,
            suspicionCount: suspicionCount, choices: choices, outstandingCount: outstanding, servedLimit: servedLimit,
            heardMilliseconds: askedMilliseconds)
    }

    /// Another request was refused for the time being.
    mutating func refuse() { statistics.refusalCount += 1 }

    /// Twice what was ahead, and what the pipeline may take on meanwhile.
    private var servedLimit: Int {
        servedCount + 2 * outstandingCount + configuration.runningSequenceLimit * configuration.maxRowCount
    }

    /// Takes an event of the scheduler; returns the request's number when it was its last one.
    ///
    /// - Parameters:
    ///   - isOutage: whether requests may end since nothing could be served for long.
    ///   - suspicionCount: failures that were laid to requests so far.
    mutating func record(
        _ event: SchedulerEvent, isOutage: Bool = false, suspicionCount: Int = 0, now: Double
    ) throws(Breach) -> Int? {
        // Taken out while in use: its tokens are changed in place and never copied.
        guard var request = live.removeValue(forKey: event.ticket) else {
            throw Breach("\(event) comes after the request's end")
        }
        switch event {
        case .failed(_, let error):
            if error.code == .requestFailed {
                // Chance can do it, too: workers that die again and again before it has passed the place.
                let failureCount = suspicionCount - request.suspicionCount
                guard failureCount >= Self.isolatedFailureCount else {
                    throw Breach("request \(request.number) failed after \(failureCount) failures of workers")
                }
                if request.choices.contains(where: \.expected.isPoisoned) { statistics.poisonCount += 1 }
            } else if !isOutage || error.code != .unavailable {
                throw Breach("request \(request.number) failed: \(error.message)")
            }
            outstandingCount -= request.outstandingCount
            statistics.failureCount += 1
            return request.number
        case .event(_, .queued), .event(_, .prefilled), .event(_, .promptLogprobs), .event(_, .embedding): break
        case .event(_, .token(let choice, let token)):
            try take(token.token, choice, of: &request, now: now)
        case .event(_, .finished(let choice, let reason)):
            try finish(choice, reason, of: &request)
        case .event(_, .completed(let usage)):
            guard request.choices.allSatisfy({ $0.finished != nil }) else {
                throw Breach("request \(request.number) is complete before all of its choices are")
            }
            outstandingCount -= request.outstandingCount
            statistics.completedCount += 1
            statistics.promptTokenCount += usage.promptTokenCount
            statistics.cachedTokenCount += usage.cachedTokenCount
            return request.number
        }
        request.servedLimit = servedLimit
        request.heardMilliseconds = now
        live[event.ticket] = request
        try checkWaiting(now: now)
        return nil
    }

    private mutating func take(
        _ token: Int32, _ choice: Int, of request: inout Live, now: Double
    ) throws(Breach) {
        guard request.choices.indices.contains(choice), request.choices[choice].finished == nil else {
            throw Breach("request \(request.number) gets a token of choice \(choice), which is none or over")
        }
        guard let expected = request.choices[choice].expected.next() else {
            throw Breach("request \(request.number) gets a token after the end of its answer")
        }
        guard token == expected else {
            throw Breach(
                "request \(request.number): token \(request.choices[choice].tokenCount) of choice \(choice) is \(token) "
                    + "instead of \(expected)")
        }
        var served = 1
        if !request.hasBegun {
            request.hasBegun = true
            served += request.promptTokenCount
            statistics.firstTokenMilliseconds.append(now - request.askedMilliseconds)
        }
        if let last = request.choices[choice].lastTokenMilliseconds { statistics.gapMilliseconds.append(now - last) }
        request.choices[choice].lastTokenMilliseconds = now
        request.choices[choice].tokenCount += 1
        servedCount += served
        outstandingCount -= served
        request.outstandingCount -= served
        statistics.tokenCount += 1
    }

    private func finish(_ choice: Int, _ reason: FinishReason, of request: inout Live) throws(Breach) {
        guard request.choices.indices.contains(choice), request.choices[choice].finished == nil else {
            throw Breach("choice \(choice) of request \(request.number) ends twice")
        }
        request.choices[choice].finished = reason
        guard reason != .cancelled else { return }
        guard request.choices[choice].expected.reason == reason else {
            throw Breach(
                "request \(request.number): choice \(choice) ends (\(reason)) after "
                    + "\(request.choices[choice].tokenCount) tokens, which are not all")
        }
    }

    /// Nobody waits while much more is served to others than was ahead.
    private mutating func checkWaiting(now: Double) throws(Breach) {
        guard hasOnePipeline, servedCount - lastCheckCount >= Self.checkDistance else { return }
        lastCheckCount = servedCount
        for request in live.values where servedCount > request.servedLimit {
            throw Breach(
                "request \(request.number) starves: others were served more than twice what was ahead of it, while it "
                    + "heard nothing for \(Int(now - request.heardMilliseconds)) ms")
        }
    }
}

/// When tokens came.
struct RequestStatistics {
    var completedCount = 0
    var refusalCount = 0
    /// Requests that ended with an error, since nothing could be served for long or workers failed on them.
    var failureCount = 0
    /// Of these, requests that do kill workers.
    var poisonCount = 0
    var tokenCount = 0
    var promptTokenCount = 0
    /// Of prompt tokens those that were there already.
    var cachedTokenCount = 0
    /// From asking to the first token of each request.
    var firstTokenMilliseconds: [Double] = []
    /// From token to token of each choice.
    var gapMilliseconds: [Double] = []
}
