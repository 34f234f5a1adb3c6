import Inference

/// What a scheduler does and tells as one of several.
extension Scheduler {
    /// Takes a request in, at its place by priority and age.
    mutating func adopt(_ new: RequestInTransit) {
        if new.request.firstStepMilliseconds == nil, !requests.isEmpty {
            events.append(.event(new.ticket, .queued(ahead: requests.count)))
        }
        requests[new.ticket] = new.request
        if new.request.suspicion != nil { mayHaveSuspects = true }
        shares.join(new.request.request.client)
        for sequence in new.sequences {
            sequences[sequence.id] = sequence
            waiting.insert(sequence.rank, of: sequence.client)
        }
        blockedPageVersion = nil
    }

    /// Gives a request away. What the stages hold of it is retired; what is on its way from them is not waited for.
    mutating func release(_ ticket: RequestTicket) -> RequestInTransit? {
        for id in requests[ticket]?.sequences ?? [] where sequences[id]?.phase == .running { putBack(id) }
        guard let leaving = view(of: ticket) else { return nil }
        requests[ticket] = nil
        shares.leave(leaving.request.request.client)
        for sequence in leaving.sequences {
            sequences[sequence.id] = nil
            waiting.remove(sequence.rank, of: sequence.client)
        }
        blockedPageVersion = nil
        return leaving
    }

    /// A request as it would be given away; one of which the pipeline holds nothing.
    func view(of ticket: RequestTicket) -> RequestInTransit? {
        requests[ticket].map { request in
            RequestInTransit(request: request, sequences: request.sequences.compactMap { sequences[$0] })
        }
    }

    /// Whether the pipeline holds nothing of a request that is here.
    func isWaiting(_ ticket: RequestTicket) -> Bool {
        requests[ticket]?.sequences.allSatisfy { sequences[$0]?.phase != .running } ?? false
    }

    /// The request whose turn is next of those of which the pipeline holds nothing.
    var nextWaitingRequest: RequestTicket? {
        var passed: [String: Int] = [:]
        while let id = waiting.next(passing: passed, service: { shares.service($0) }), let sequence = sequences[id] {
            if isWaiting(sequence.ticket) { return sequence.ticket }
            passed[sequence.client, default: 0] += 1
        }
        return nil
    }

    var hasRoomForSequences: Bool {
        waiting.isEmpty && running.count < configuration.runningSequenceLimit && firstIsolated == nil
    }

    /// Tokens of a request that would be found in the prefix cache here.
    func cachedTokenCount(of new: RequestInTransit) -> Int {
        guard let sequence = new.sequences.first else { return 0 }
        let goalCount = goal(sequence, new.request)
        let regime = configuration.regime(length: goalCount)
        return prefix(of: sequence, new.request, goalCount: goalCount, regime: regime).pages.count
            * KVPage.positionCount
    }

    /// Tokens that are still to be computed for the running sequences, or for all.
    func remainingTokenCount(isRunning: Bool) -> Int {
        let ids = isRunning ? running : Array(sequences.keys)
        return ids.reduce(0) { sum, id in
            guard let sequence = sequences[id], let request = requests[sequence.ticket] else { return sum }
            return sum + remainingTokenCount(sequence, request)
        }
    }

    /// The same for a request that would begin here.
    func remainingTokenCount(of new: RequestInTransit) -> Int {
        let all = new.sequences.reduce(0) { $0 + remainingTokenCount($1, new.request) }
        return all - cachedTokenCount(of: new) * new.sequences.count
    }

    /// Rows of the prompt and the answer so far, and tokens still to come as far as they can be foreseen: an answer whose
    /// limit is high mostly ends before it.
    private func remainingTokenCount(_ sequence: SequenceState, _ request: RequestState) -> Int {
        let limit = request.answerLimit(contextLength: configuration.contextLength)
        let comingCount = min(max(0, limit - sequence.generated.count), Self.foreseenAnswerTokenCount)
        return max(0, goal(sequence, request) - sequence.sentPositionCount) + comingCount
    }

    private static let foreseenAnswerTokenCount = 256
}
