public import Inference

extension Scheduler {
    /// The tokens that may come next in a choice whose request has a grammar, after those that it has; nil for all.
    public typealias MaskSource = (_ ticket: RequestTicket, _ choice: Int, _ generated: [Int32]) -> TokenMask?

    /// The next step to send, or nil when there is nothing to do now, no credit is left or no plan stands.
    ///
    /// - Parameter mask: asked once for every token that is to be sampled under a grammar.
    public mutating func nextStep(now: Double, mask: MaskSource = { _, _, _ in nil }) -> Step? {
        guard let epoch, !isSuspended, !isPaused, stepsInFlight.count < creditCount else { return nil }
        var grants = compose(now: now)
        if grants.isEmpty && retiring.isEmpty && !freeing.isEmpty {
            // The latest step sent uses these pages no more, and there is no step to wait for.
            releaseFreed()
            grants = compose(now: now)
        }
        guard !grants.isEmpty || !retiring.isEmpty else { return nil }

        var admissions: [SequenceAdmission] = []
        var slices: [Slice] = []
        var inFlight: [StepInFlight.SliceInFlight] = []
        for grant in grants {
            var (admission, slice, record) = makeSlice(grant, now: now)
            if let admission { admissions.append(admission) }
            if slice.outputs.contains(.sample), let sequence = sequences[slice.sequence],
                requests[sequence.ticket]?.request.grammar != nil
            {
                slice.mask = mask(sequence.ticket, sequence.choice, sequence.generated)
                record.mask = slice.mask
            }
            slices.append(slice)
            inFlight.append(record)
        }
        let step = Step(
            epoch: epoch, number: nextStepNumber, admissions: admissions, slices: slices, retired: retiring)
        retiring = []
        // Freed with this step, so the next one may use them.
        releaseFreed()
        nextStepNumber += 1
        sentStepCount += 1
        sentRowCount += step.rowCount
        stepsInFlight.append(StepInFlight(number: step.number, sentMilliseconds: now, slices: inFlight))
        return step
    }

    mutating func releaseFreed() {
        for freed in freeing { pages.release(freed) }
        freeing = []
    }

    private mutating func compose(now: Double) -> [StepComposition.Grant] {
        if let alone = isolatedRequest() {
            guard startAlone(alone, now: now) else { return [] }
        } else {
            startSequences(now: now)
        }
        let demands = demands()
        let awaitingCount = running.reduce(0) { $0 + (sequences[$1]?.awaitsSample == true ? 1 : 0) }
        decodingCount = demands.reduce(awaitingCount) { $0 + ($1.isDecode ? 1 : 0) }
        let grants = StepComposition.compose(
            demands,
            load: StepComposition.Load(
                stepInFlightCount: stepsInFlight.count, creditCount: creditCount, groupCount: tuner.groupCount,
                decodingCount: decodingCount),
            limits: StepComposition.Limits(
                maxRowCount: configuration.maxRowCount, chunkRowCount: configuration.prefillChunkRowCount,
                pacedRowCount: pace.rowLimit(configuration.pacedChunkRowCount)))
        return reservePages(for: grants)
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
                // LongRoPE's crossing: all positions are computed again with the other factors, in other pages, since
                // the old ones may be shared.
                freeing.append(sequence.pages)
                sequence.restart(scoresAreSent: sequence.scoresAreSent)
                sequence.regime = regime
                usePrefix(
                    prefix(of: sequence, request, goalCount: goalCount, regime: regime), &sequence, goalCount: goalCount
                )
                sequences[id] = sequence
            }
            guard goalCount > sequence.sentPositionCount else { continue }
            let isDecode =
                totalCount > promptCount && goalCount == totalCount && sequence.sentPositionCount == totalCount - 1
            demands.append(
                StepComposition.Demand(
                    sequence: sequence.rank, client: sequence.client, service: shares.service(sequence.client),
                    rowCount: goalCount - sequence.sentPositionCount, isDecode: isDecode, turn: sequence.turn))
        }
        return demands
    }

    /// How many positions are to be computed before something new is known. The prompt of a resumed request is scored
    /// by itself, as it would have been before anything was generated.
    func goal(_ sequence: SequenceState, _ request: RequestState) -> Int {
        let promptCount = request.request.prompt.count
        guard sequence.scoresAreSent else { return promptCount }
        // Only the scores were wanted.
        if endReason(sequence, request) != nil { return promptCount }
        return promptCount + sequence.generated.count
    }

    private mutating func makeSlice(
        _ grant: StepComposition.Grant, now: Double
    ) -> (SequenceAdmission?, Slice, StepInFlight.SliceInFlight) {
        guard var sequence = sequences[grant.sequence.id], let request = requests[sequence.ticket] else {
            preconditionFailure("\(grant.sequence.id) takes part in a step but is not known")
        }
        let prompt = request.request.prompt
        let firstPosition = sequence.sentPositionCount
        let endPosition = firstPosition + grant.rowCount
        let goalCount = goal(sequence, request)
        let totalCount = prompt.count + sequence.generated.count

        let admission = sequence.needsAdmission ? makeAdmission(sequence, request.request) : nil
        precondition(endPosition <= sequence.pages.count * KVPage.positionCount, "every row has a page")
        let tableChange = announcePages(&sequence)
        var outputs: SliceOutputs = []
        if !sequence.scoresAreSent {
            if request.request.wantsEmbedding {
                outputs.insert(.embedding)
            } else if firstPosition < prompt.count - 1 {
                outputs.insert(.promptLogprobs)
            }
            if endPosition == prompt.count { sequence.scoresAreSent = true }
        }
        if endPosition == totalCount && endReason(sequence, request) == nil {
            outputs.insert(.sample)
            sequence.awaitsSample = true
        }
        let tokens = (firstPosition..<endPosition).map { sequence.token(at: $0, prompt: prompt) }
        let isDecode =
            grant.rowCount == 1 && firstPosition >= prompt.count
            && (admission == nil || sequence.isAnnouncedAnew)
        shares.charge(sequence.client, ClientShares.cost(rowCount: grant.rowCount, isDecode: isDecode))
        sequence.sentPositionCount = endPosition
        sequence.needsAdmission = false
        sequence.isAnnouncedAnew = false
        sequence.isKnownToStages = true
        lastTurn += 1
        sequence.turn = lastTurn
        rememberFullPages(&sequence, request.request)
        sequences[sequence.id] = sequence
        return (
            admission,
            Slice(
                sequence: sequence.id, firstPosition: firstPosition, tokens: tokens, regime: sequence.regime,
                outputs: outputs, pages: tableChange),
            StepInFlight.SliceInFlight(
                sequence: sequence.id, incarnation: sequence.incarnation, firstPosition: firstPosition,
                rowCount: grant.rowCount, outputs: outputs, prefillGoal: isDecode ? nil : goalCount)
        )
    }

    private func makeAdmission(_ sequence: SequenceState, _ request: GenerationRequest) -> SequenceAdmission {
        SequenceAdmission(
            sequence: sequence.id, prompt: request.prompt, generated: sequence.generated, sampling: request.sampling,
            seed: sequence.seed, choice: sequence.choice, logprobCount: request.logprobCount,
            promptLogprobCount: sequence.scoresAreSent ? nil : request.promptLogprobCount, request: request.id,
            trace: request.trace?.withoutState)
    }

    /// What the stages must learn of the sequence's page table: with an admission all of it, otherwise the new pages.
    private func announcePages(_ sequence: inout SequenceState) -> [PageAssignment] {
        let firstChanged = sequence.announcedPageCount
        sequence.announcedPageCount = sequence.pages.count
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
