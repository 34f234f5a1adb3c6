public import Inference

extension Scheduler {
    /// Takes the last stage's answer to a step: commits tokens and scores, ends choices, gives a credit back.
    ///
    /// Results come in the order of the steps. Those of other epochs and those seen before are ignored.
    public mutating func apply(_ result: StepResult, now: Double) -> ResultDisposition {
        guard let epoch, result.epoch == epoch, !isSuspended else { return .stale }
        guard let step = stepsInFlight.first else {
            guard result.number >= nextStepNumber else { return .stale }
            return .fault("step \(result.number) was answered but never sent")
        }
        guard result.number >= step.number else { return .stale }
        guard result.number == step.number else {
            return .fault("step \(result.number) was answered before step \(step.number)")
        }
        if let problem = mismatch(result, step) { return .fault("step \(step.number): \(problem)") }
        stepsInFlight.removeFirst()
        let promptRowCount = step.slices.reduce(0) { $0 + ($1.prefillGoal != nil ? $1.rowCount : 0) }
        tuner.note(
            tokenCount: step.slices.count { $0.outputs.contains(.sample) },
            hasPromptRows: promptRowCount > 0, decodingCount: decodingCount, now: now)
        pace.note(
            sent: step.sentMilliseconds, now: now, promptRowCount: promptRowCount,
            decodeRowCount: step.slices.count { $0.prefillGoal == nil })
        var answers = result.slices.makeIterator()
        for slice in step.slices {
            let answer = slice.outputs.isEmpty ? nil : answers.next()
            // Cancelled meanwhile: nobody waits for it.
            guard let sequence = sequences[slice.sequence] else { continue }
            clear(sequence.ticket, sequence.id, upTo: slice.firstPosition + slice.rowCount)
            if sequence.phase == .running && sequence.incarnation == slice.incarnation {
                commit(answer, slice, sequence, now: now)
            } else if let sampled = answer?.sampled, isStillNext(slice, sequence) {
                commit(sampled, sequence.id, now: now)
            }
        }
        return .applied
    }

    /// Whether a token that was on its way when its sequence was put back is worth having: the sequence has not begun
    /// again meanwhile, when it would be sampled a second time.
    private func isStillNext(_ slice: StepInFlight.SliceInFlight, _ sequence: SequenceState) -> Bool {
        guard sequence.phase == .waiting, let request = requests[sequence.ticket] else { return false }
        let totalCount = request.request.prompt.count + sequence.generated.count
        return request.scoresAreComplete && slice.firstPosition + slice.rowCount == totalCount
    }

    /// What the answer lacks, or has too much, measured by what the step asked for.
    private func mismatch(_ result: StepResult, _ step: StepInFlight) -> String? {
        let asked = step.slices.filter { !$0.outputs.isEmpty }
        guard asked.count == result.slices.count else {
            return "\(result.slices.count) slices are answered, \(asked.count) asked for output"
        }
        for (slice, answer) in zip(asked, result.slices) {
            guard slice.sequence == answer.sequence else {
                return "\(answer.sequence) is answered in the place of \(slice.sequence)"
            }
            guard slice.outputs.contains(.sample) == (answer.sampled != nil) else {
                return
                    "\(slice.sequence) has \(answer.sampled == nil ? "no sample" : "a sample that was not asked for")"
            }
            let tokens = answer.promptTokens.map(\.token) + (answer.sampled.map { [$0.token] } ?? [])
            if let token = tokens.first(where: { $0 < 0 || Int($0) >= configuration.vocabularySize }) {
                return "\(slice.sequence) has token \(token), outside of the vocabulary"
            }
            if let mask = slice.mask, let token = answer.sampled?.token, !mask.allows(token) {
                return "\(slice.sequence) has token \(token), which its grammar forbids"
            }
            let endsPrompt = slice.firstPosition + slice.rowCount == slice.prefillGoal
            guard (slice.outputs.contains(.embedding) && endsPrompt) == (answer.embedding != nil) else {
                return
                    "\(slice.sequence) has \(answer.embedding == nil ? "no embedding" : "an embedding before its time")"
            }
            if let problem = scoreMismatch(slice, answer) { return problem }
        }
        return nil
    }

    private func scoreMismatch(_ slice: StepInFlight.SliceInFlight, _ answer: SliceResult) -> String? {
        guard slice.outputs.contains(.promptLogprobs) else {
            return answer.promptTokens.isEmpty ? nil : "\(slice.sequence) has prompt scores that were not asked for"
        }
        // A sequence that ended meanwhile cannot be compared with its prompt any more.
        guard let ticket = sequences[slice.sequence]?.ticket, let request = requests[ticket] else { return nil }
        let prompt = request.request.prompt
        let first = slice.firstPosition + 1
        let end = min(slice.firstPosition + slice.rowCount + 1, prompt.count)
        guard answer.firstPromptPosition == first, answer.promptTokens.count == end - first else {
            return "\(slice.sequence) has \(answer.promptTokens.count) prompt scores from position "
                + "\(answer.firstPromptPosition), expected \(end - first) from \(first)"
        }
        guard answer.promptTokens.map(\.token) == Array(prompt[first..<end]) else {
            return "\(slice.sequence) has scores of other tokens than its prompt's"
        }
        return nil
    }

    private mutating func commit(
        _ answer: SliceResult?, _ slice: StepInFlight.SliceInFlight, _ sequence: SequenceState, now: Double
    ) {
        let ticket = sequence.ticket
        let endPosition = slice.firstPosition + slice.rowCount
        if let goalCount = slice.prefillGoal, sequence.choice == 0 {
            events.append(.event(ticket, .prefilled(tokenCount: endPosition, of: goalCount)))
        }
        if let answer, slice.outputs.contains(.promptLogprobs) {
            requests[ticket]?.promptScores += answer.promptTokens
            completeScoresIfAll(ticket)
        }
        if let embedding = answer?.embedding {
            requests[ticket]?.scoresAreComplete = true
            events.append(.event(ticket, .embedding(embedding)))
        }
        if let sampled = answer?.sampled {
            commit(sampled, sequence.id, now: now)
            return
        }
        // Nothing more was wanted than the scores, or the embedding.
        guard let request = requests[ticket], request.scoresAreComplete, sequence.scoresAreSent,
            let reason = endReason(sequence, request), endPosition >= request.request.prompt.count
        else { return }
        finish(sequence.id, reason, now: now)
    }

    /// Reports the prompt's scores once they are all there.
    mutating func completeScoresIfAll(_ ticket: RequestTicket) {
        guard var request = requests[ticket], !request.scoresAreComplete, !request.request.wantsEmbedding,
            request.promptScores.count == request.request.prompt.count - 1
        else { return }
        request.scoresAreComplete = true
        blockedPageVersion = nil
        events.append(.event(ticket, .promptLogprobs(request.promptScores)))
        request.promptScores = []
        requests[ticket] = request
    }

    private mutating func commit(_ sampled: ScoredToken, _ id: SequenceID, now: Double) {
        // In place: a copy would copy all tokens for each one.
        sequences[id]?.awaitsSample = false
        sequences[id]?.generated.append(sampled.token)
        guard let sequence = sequences[id], var request = requests[sequence.ticket] else { return }
        request.firstTokenMilliseconds = request.firstTokenMilliseconds ?? now
        request.lastTokenMilliseconds = now
        request.answerTokenCount += 1
        requests[sequence.ticket] = request
        generatedTokenCount += 1
        events.append(.event(sequence.ticket, .token(choice: sequence.choice, sampled)))
        if let reason = endReason(sequence, request) { finish(id, reason, now: now) }
    }
}
