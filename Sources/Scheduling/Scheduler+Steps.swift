public import Inference

extension Scheduler {
    /// The next step to send, or nil when there is nothing to do now, no credit is left or no plan stands.
    public mutating func nextStep(now: Double) -> Step? {
        guard let epoch, !isSuspended, stepsInFlight.count < creditCount else { return nil }
        startSequences(now: now)
        let grants = StepComposition.compose(
            demands(), maxRowCount: configuration.maxRowCount, chunkRowCount: configuration.prefillChunkRowCount)
        guard !grants.isEmpty || !retiring.isEmpty else { return nil }

        var admissions: [SequenceAdmission] = []
        var slices: [Slice] = []
        var inFlight: [StepInFlight.SliceInFlight] = []
        for grant in grants {
            let (admission, slice, record) = makeSlice(grant, now: now)
            if let admission { admissions.append(admission) }
            slices.append(slice)
            inFlight.append(record)
        }
        let step = Step(
            epoch: epoch, number: nextStepNumber, admissions: admissions, slices: slices,
            retired: retiring.map(\.sequence))
        // Freed with this step, so the next one may use them.
        for (_, freed) in retiring { pages.release(freed) }
        retiring = []
        nextStepNumber += 1
        stepsInFlight.append(StepInFlight(number: step.number, slices: inFlight))
        return step
    }

    /// Starts waiting sequences, in order, as far as the limit and the pages reach. Nobody is passed by.
    private mutating func startSequences(now: Double) {
        while running.count < configuration.runningSequenceLimit, let id = waiting.first {
            guard var sequence = sequences[id], let request = requests[sequence.ticket] else {
                waiting.removeFirst()
                continue
            }
            if let reason = endReason(sequence, request), request.scoresAreComplete {
                begin(request.ticket, now: now)
                finish(id, reason, now: now)
                continue
            }
            // One choice scores the prompt; the others' tokens come after the scores.
            if !request.scoresAreComplete && running.contains(where: { request.sequences.contains($0) }) { return }
            let neededCount = neededPageCount(request)
            guard neededCount <= pages.pageCount else {
                fail(request.ticket, tooLarge(request, neededPageCount: neededCount))
                continue
            }
            let promisedCount = running.reduce(0) { $0 + (sequences[$1]?.unallocatedPageCount ?? 0) }
            guard neededCount <= pages.freePageCount - promisedCount else { return }
            waiting.removeFirst()
            sequence.phase = .running
            sequence.reservedPageCount = neededCount
            sequence.scoresAreSent = request.scoresAreComplete
            sequences[id] = sequence
            running.append(id)
            begin(request.ticket, now: now)
            completeScoresIfAll(request.ticket)
        }
    }

    private mutating func begin(_ ticket: RequestTicket, now: Double) {
        if requests[ticket]?.firstStepMilliseconds == nil { requests[ticket]?.firstStepMilliseconds = now }
    }

    /// Pages for every position that may be computed: the last token of an answer never is.
    private func neededPageCount(_ request: RequestState) -> Int {
        let answerCount = request.answerLimit(contextLength: configuration.contextLength)
        return KVPage.count(holding: request.request.prompt.count + max(answerCount - 1, 0))
    }

    private func tooLarge(_ request: RequestState, neededPageCount: Int) -> EngineError {
        EngineError(
            code: .contextOverflow,
            message: "The request may come to need \(neededPageCount) KV pages of \(KVPage.positionCount) tokens, the "
                + "cluster has \(pages.pageCount) now. Shorten the prompt or lower max_tokens, or give the cluster "
                + "more memory.",
            parameter: "max_tokens")
    }

    /// What running sequences could compute now.
    private mutating func demands() -> [StepComposition.Demand] {
        var demands: [StepComposition.Demand] = []
        for id in running {
            guard var sequence = sequences[id], let request = requests[sequence.ticket] else { continue }
            guard !sequence.awaitsSample else { continue }
            let promptCount = request.request.prompt.count
            let totalCount = promptCount + sequence.generated.count
            let goalCount = goal(sequence, request)
            let regime = configuration.regime(length: goalCount)
            if regime != sequence.regime {
                // LongRoPE's crossing: all positions are computed again with the other factors.
                sequence.regime = regime
                sequence.sentPositionCount = 0
                sequence.needsAdmission = true
                sequences[id] = sequence
            }
            guard goalCount > sequence.sentPositionCount else { continue }
            let isDecode =
                totalCount > promptCount && goalCount == totalCount && sequence.sentPositionCount == totalCount - 1
            demands.append(
                StepComposition.Demand(
                    sequence: id, rowCount: goalCount - sequence.sentPositionCount, isDecode: isDecode))
        }
        return demands
    }

    /// How many positions are to be computed before something new is known. The prompt of a resumed request is scored
    /// by itself, as it would have been before anything was generated.
    private func goal(_ sequence: SequenceState, _ request: RequestState) -> Int {
        let promptCount = request.request.prompt.count
        guard sequence.scoresAreSent else { return promptCount }
        // Only the scores were wanted.
        if endReason(sequence, request) != nil { return promptCount }
        return promptCount + sequence.generated.count
    }

    private mutating func makeSlice(
        _ grant: StepComposition.Grant, now: Double
    ) -> (SequenceAdmission?, Slice, StepInFlight.SliceInFlight) {
        guard var sequence = sequences[grant.sequence], let request = requests[sequence.ticket] else {
            preconditionFailure("\(grant.sequence) takes part in a step but is not known")
        }
        let prompt = request.request.prompt
        let firstPosition = sequence.sentPositionCount
        let endPosition = firstPosition + grant.rowCount
        let goalCount = goal(sequence, request)
        let totalCount = prompt.count + sequence.generated.count

        let admission = sequence.needsAdmission ? makeAdmission(sequence, request.request) : nil
        let tableChange = extendPages(&sequence, toPosition: endPosition)
        var outputs: SliceOutputs = []
        if !sequence.scoresAreSent {
            if firstPosition < prompt.count - 1 { outputs.insert(.promptLogprobs) }
            if endPosition == prompt.count { sequence.scoresAreSent = true }
        }
        if endPosition == totalCount && endReason(sequence, request) == nil {
            outputs.insert(.sample)
            sequence.awaitsSample = true
        }
        let tokens = (firstPosition..<endPosition).map { position in
            position < prompt.count ? prompt[position] : sequence.generated[position - prompt.count]
        }
        let isDecode = grant.rowCount == 1 && firstPosition >= prompt.count && admission == nil
        sequence.sentPositionCount = endPosition
        sequence.needsAdmission = false
        sequences[sequence.id] = sequence
        return (
            admission,
            Slice(
                sequence: sequence.id, firstPosition: firstPosition, tokens: tokens, regime: sequence.regime,
                outputs: outputs, pages: tableChange),
            StepInFlight.SliceInFlight(
                sequence: sequence.id, firstPosition: firstPosition, rowCount: grant.rowCount, outputs: outputs,
                prefillGoal: isDecode ? nil : goalCount)
        )
    }

    private func makeAdmission(_ sequence: SequenceState, _ request: GenerationRequest) -> SequenceAdmission {
        SequenceAdmission(
            sequence: sequence.id, prompt: request.prompt, generated: sequence.generated, sampling: request.sampling,
            seed: sequence.seed, choice: sequence.choice, logprobCount: request.logprobCount,
            promptLogprobCount: sequence.scoresAreSent ? nil : request.promptLogprobCount)
    }

    /// Gives the sequence the pages that it lacks for positions below `endPosition`, and says what changed: with an
    /// admission the whole table, otherwise the new pages.
    private mutating func extendPages(_ sequence: inout SequenceState, toPosition endPosition: Int) -> [PageAssignment]
    {
        let heldCount = sequence.pages.count
        let missingCount = KVPage.count(holding: endPosition) - heldCount
        if missingCount > 0 {
            precondition(missingCount <= sequence.unallocatedPageCount, "\(sequence.id) outgrows its reservation")
            guard let fresh = pages.allocate(missingCount) else {
                preconditionFailure("pages that were promised to \(sequence.id) are not there")
            }
            sequence.pages += fresh
        }
        let firstChanged = sequence.needsAdmission ? 0 : heldCount
        guard firstChanged < sequence.pages.count else { return [] }
        return [PageAssignment(firstLogicalPage: firstChanged, pages: Array(sequence.pages[firstChanged...]))]
    }

    /// Why the answer is complete with the tokens that it has; nil when it goes on.
    func endReason(_ sequence: SequenceState, _ request: RequestState) -> FinishReason? {
        if let last = sequence.generated.last {
            if request.request.stopTokens.contains(last) { return .stop }
            if !request.request.ignoreEndOfSequence && configuration.endOfSequenceTokens.contains(last) { return .stop }
        }
        let limit = request.answerLimit(contextLength: configuration.contextLength)
        return sequence.generated.count >= limit ? .length : nil
    }
}
