import Inference

/// A request that no scheduler has: a new one, or one on its way from one replica to another.
///
/// It has everything that goes on from here: the tokens generated so far, the seed, times and deadline. Of pipelines it has
/// nothing, so any scheduler computes it again from its first position, exactly.
struct RequestInTransit: Sendable {
    let request: RequestState
    /// Those that are not finished, in order of choices.
    let sequences: [SequenceState]

    var ticket: RequestTicket { request.ticket }
}

/// Numbers requests and their sequences in order of arrival, each number once.
struct RequestNumbering: Sendable {
    private var nextTicket: UInt64 = 0
    private var nextSequence: UInt64 = 0

    /// Gives a request, which is valid, its numbers; its choices' seed is drawn unless it brings one.
    mutating func take(
        _ request: GenerationRequest, _ configuration: SchedulerConfiguration, now: Double,
        using generator: inout some RandomNumberGenerator
    ) -> RequestInTransit {
        let ticket = RequestTicket(nextTicket)
        nextTicket += 1
        let seed = request.seed ?? generator.next()
        let wantsScores = request.promptLogprobCount != nil || request.wantsEmbedding
        let ids = (0..<request.choiceCount).map { SequenceID(nextSequence + UInt64($0)) }
        nextSequence += UInt64(request.choiceCount)
        let timeout = request.timeoutMilliseconds ?? configuration.defaultTimeoutMilliseconds
        return RequestInTransit(
            request: RequestState(
                ticket: ticket, request: request, sequences: ids, submittedMilliseconds: now,
                deadlineMilliseconds: timeout.map { now + Double($0) }, unfinishedChoiceCount: request.choiceCount,
                answerTokenCount: request.generated.count, scoresAreComplete: !wantsScores),
            sequences: ids.enumerated().map { choice, id in
                SequenceState(
                    id: id, ticket: ticket, choice: choice, client: request.client,
                    rank: SequenceRank(priority: request.priority, id: id), seed: seed, generated: request.generated,
                    scoresAreSent: !wantsScores)
            })
    }
}
