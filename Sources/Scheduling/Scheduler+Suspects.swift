import Inference

/// Requests that may be what makes workers fail.
///
/// A worker that fails takes every request in flight into suspicion (`Suspicion`). One that is suspect for the second
/// time has the pipeline to itself until it has passed the place, and ends with an error if a worker fails even then.
/// So it costs three workers at most, and the others go on.
extension Scheduler {
    /// A stage failed while it computed: what is in flight may be why. Told before `suspend`.
    ///
    /// - Parameter reason: what happened, for the request's error.
    mutating func suspectRequestsInFlight(reason: String) {
        var inFlight: [RequestTicket: [SequenceID: Int]] = [:]
        for slice in stepsInFlight.flatMap(\.slices) {
            // Others ended, or moved away, before it happened.
            guard let ticket = sequences[slice.sequence]?.ticket else { continue }
            inFlight[ticket, default: [:]].merge(
                [slice.sequence: slice.firstPosition + slice.rowCount], uniquingKeysWith: max)
        }
        for (ticket, ends) in inFlight.sorted(by: { $0.key < $1.key }) {
            guard requests[ticket]?.suspicion?.isIsolated != true else {
                fail(ticket, isolatedFailure(reason))
                continue
            }
            var suspicion = requests[ticket]?.suspicion ?? Suspicion()
            suspicion.note(ends)
            requests[ticket]?.suspicion = suspicion
            mayHaveSuspects = true
        }
    }

    private func isolatedFailure(_ reason: String) -> EngineError {
        EngineError(
            code: .requestFailed,
            message: "The request was ended because workers fail when they compute it, also when it is the only one "
                + "(at last: \(reason)). Trying it again would make more of them fail; their logs say what goes wrong.")
    }

    /// Rows up to this position are computed. O(1) for requests that nobody suspects.
    mutating func clear(_ ticket: RequestTicket, _ sequence: SequenceID, upTo end: Int) {
        guard requests[ticket]?.suspicion?.clear(sequence, upTo: end) == true else { return }
        requests[ticket]?.suspicion = nil
        // Others may begin again.
        blockedPageVersion = nil
    }

    /// The request that has the pipeline to itself, if one must have it. O(1) while there are no suspects.
    mutating func isolatedRequest() -> RequestTicket? {
        guard mayHaveSuspects else { return nil }
        mayHaveSuspects = requests.values.contains { $0.suspicion != nil }
        return firstIsolated
    }

    var firstIsolated: RequestTicket? {
        guard mayHaveSuspects else { return nil }
        return requests.values.filter { $0.suspicion?.isIsolated == true }.map(\.ticket).min()
    }

    /// Begins the sequences of a request that has the pipeline to itself; false while others are in flight. Those that ran
    /// are put back: their pages are found again as long as there is room.
    mutating func startAlone(_ ticket: RequestTicket, now: Double) -> Bool {
        let isClear = stepsInFlight.allSatisfy { step in
            step.slices.allSatisfy { sequences[$0.sequence]?.ticket == ticket }
        }
        guard isClear else { return false }
        for id in running where sequences[id]?.ticket != ticket { putBack(id) }
        // The queue holds nobody else meanwhile.
        let own = (requests[ticket]?.sequences ?? []).compactMap { sequences[$0] }.filter { $0.phase == .waiting }
        var others = waiting
        waiting = WaitingQueue()
        for sequence in own {
            others.remove(sequence.rank, of: sequence.client)
            waiting.insert(sequence.rank, of: sequence.client)
        }
        blockedPageVersion = nil
        startSequences(now: now)
        blockedPageVersion = nil
        for sequence in own where sequences[sequence.id]?.phase == .waiting {
            others.insert(sequence.rank, of: sequence.client)
        }
        waiting = others
        return true
    }
}
