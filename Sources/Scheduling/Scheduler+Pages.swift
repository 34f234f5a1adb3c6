import Inference

/// Who begins and who is put back: the use of pages.
extension Scheduler {
    /// Begins waiting sequences, in order, as far as the limit and the pages reach. None passes another that lacks pages.
    ///
    /// While nothing changed that lets anybody begin, this costs O(1).
    mutating func startSequences(now: Double) {
        let limit = configuration.runningSequenceLimit
        guard !waiting.isEmpty, running.count < limit, blockedPageVersion != pages.version || running.isEmpty else {
            return
        }
        var promisedCount = promisedPageCount()
        var passedCount = 0
        var passed: [String: Int] = [:]
        var owed = owedService()
        defer { blockedPageVersion = pages.version }
        while running.count < limit, passedCount < limit,
            let id = waiting.next(passing: passed, service: { shares.service($0) + owed[$0, default: 0] }),
            var sequence = sequences[id], let request = requests[sequence.ticket]
        {
            if let reason = endReason(sequence, request), request.scoresAreComplete {
                begin(request.ticket, now: now)
                finish(id, reason, now: now)
                continue
            }
            let mostCount = neededPageCount(request)
            guard mostCount <= pages.pageCount else {
                fail(request.ticket, tooLarge(request, neededPageCount: mostCount))
                continue
            }
            sequence.scoresAreSent = request.scoresAreComplete
            let goalCount = goal(sequence, request)
            let regime = configuration.regime(length: goalCount)
            let prefix = prefix(of: sequence, request, goalCount: goalCount, regime: regime)
            guard !mustWait(sequence, request, prefix: prefix, goalCount: goalCount, regime: regime) else {
                passedCount += 1
                passed[sequence.client, default: 0] += 1
                continue
            }
            let missingCount = KVPage.count(holding: goalCount) - prefix.pages.count
            let idleCount = prefix.pages.reduce(0) { $0 + (pages.isIdle($1) ? 1 : 0) }
            guard missingCount + idleCount <= pages.availableCount - promisedCount else { return }
            waiting.remove(sequence.rank, of: sequence.client)
            sequence.phase = .running
            sequence.regime = regime
            // Behind those that run already.
            sequence.turn = lastTurn
            usePrefix(prefix, &sequence, goalCount: goalCount)
            sequences[id] = sequence
            running.append(id)
            promisedCount += missingCount + 1
            owed[sequence.client, default: 0] += ClientShares.cost(
                rowCount: goalCount - sequence.sentPositionCount, isDecode: false)
            if requests[request.ticket]?.cachedTokenCount == nil {
                requests[request.ticket]?.cachedTokenCount = min(
                    sequence.sentPositionCount, request.request.prompt.count)
            }
            begin(request.ticket, now: now)
            completeScoresIfAll(request.ticket)
        }
    }

    private mutating func begin(_ ticket: RequestTicket, now: Double) {
        if requests[ticket]?.firstStepMilliseconds == nil { requests[ticket]?.firstStepMilliseconds = now }
    }

    /// What running sequences are to be served before their next token, by client: whoever began counts as served, or
    /// one client's prompts would take all places before the first of them costs it anything.
    private func owedService() -> [String: Double] {
        var owed: [String: Double] = [:]
        for id in running {
            guard let sequence = sequences[id], let request = requests[sequence.ticket] else { continue }
            let rowCount = goal(sequence, request) - sequence.sentPositionCount
            owed[sequence.client, default: 0] += ClientShares.cost(rowCount: max(rowCount, 0), isDecode: false)
        }
        return owed
    }

    /// Pages that running sequences lack for the tokens that they have, and one more for each to grow.
    private func promisedPageCount() -> Int {
        running.reduce(0) { sum, id in
            guard let sequence = sequences[id], let request = requests[sequence.ticket] else { return sum }
            return sum + 1 + max(0, KVPage.count(holding: goal(sequence, request)) - sequence.pages.count)
        }
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

    // MARK: Prefixes

    /// The cached beginning of a sequence, without its last token, which is always computed.
    ///
    /// Scores and embeddings need every row of the prompt, so a sequence that is to bring them finds nothing.
    func prefix(
        of sequence: SequenceState, _ request: RequestState, goalCount: Int, regime: RopeRegime
    ) -> PrefixCache.Match {
        guard sequence.scoresAreSent else { return PrefixCache.Match() }
        return pages.match(
            pageLimit: (goalCount - 1) / KVPage.positionCount, regime: regime, salt: request.request.cacheSalt
        ) { page in sequence.tokens(ofPage: page, prompt: request.request.prompt) }
    }

    /// Begins a sequence that holds nothing with the pages of a cached prefix.
    mutating func usePrefix(_ prefix: PrefixCache.Match, _ sequence: inout SequenceState, goalCount: Int) {
        pages.claim(prefix.pages)
        sequence.pages = prefix.pages
        sequence.rememberedPageCount = prefix.pages.count
        sequence.lastBlock = prefix.lastBlock
        sequence.sentPositionCount = prefix.pages.count * KVPage.positionCount
        guard sequence.scoresAreSent else { return }
        lookedUpTokenCount += goalCount
        hitTokenCount += sequence.sentPositionCount
    }

    /// Lets later sequences find the pages that are full with what is sent.
    mutating func rememberFullPages(_ sequence: inout SequenceState, _ request: GenerationRequest) {
        while (sequence.rememberedPageCount + 1) * KVPage.positionCount <= sequence.sentPositionCount {
            let page = sequence.rememberedPageCount
            sequence.lastBlock = pages.remember(
                sequence.pages[page], after: sequence.lastBlock, regime: sequence.regime, salt: request.cacheSalt,
                tokens: sequence.tokens(ofPage: page, prompt: request.prompt))
            sequence.rememberedPageCount += 1
        }
    }

    /// Whether a sequence should begin later: its prompt is being scored by another choice, whose tokens come after the
    /// scores as its own do, or its next page is just being computed by another sequence.
    private func mustWait(
        _ sequence: SequenceState, _ request: RequestState, prefix: PrefixCache.Match, goalCount: Int,
        regime: RopeRegime
    ) -> Bool {
        guard request.scoresAreComplete else { return running.contains { request.sequences.contains($0) } }
        let first = prefix.pages.count * KVPage.positionCount
        let end = first + KVPage.positionCount
        guard goalCount > end else { return false }
        return running.contains { id in
            guard let other = sequences[id], let otherRequest = requests[other.ticket], other.regime == regime,
                otherRequest.request.cacheSalt == request.request.cacheSalt,
                other.sentPositionCount < end, goal(other, otherRequest) >= end,
                other.pages.prefix(prefix.pages.count).elementsEqual(prefix.pages)
            else { return false }
            return (first..<end).allSatisfy { position in
                other.token(at: position, prompt: otherRequest.request.prompt)
                    == sequence.token(at: position, prompt: request.request.prompt)
            }
        }
    }

    // MARK: Growth

    /// Gives every sequence the pages for its rows, by priority and age; who gets fewer has fewer rows, who gets none no
    /// part in the step. Where even the next row of one finds no page, the last by priority and age are put back.
    mutating func reservePages(for grants: [StepComposition.Grant]) -> [StepComposition.Grant] {
        var rowCounts: [SequenceID: Int] = [:]
        for grant in grants.sorted(by: { $0.sequence < $1.sequence }) {
            // Put back meanwhile: only ever one that comes after those that have their pages.
            guard let sequence = sequences[grant.sequence.id], sequence.phase == .running else { continue }
            let heldCount = sequence.pages.count
            let wantedCount = KVPage.count(holding: sequence.sentPositionCount + grant.rowCount)
            let freshCount = min(max(0, wantedCount - heldCount), pages.availableCount)
            let room = (heldCount + freshCount) * KVPage.positionCount - sequence.sentPositionCount
            guard room > 0 else {
                makeRoom(for: grant.sequence.id)
                continue
            }
            if freshCount > 0, let fresh = pages.allocate(freshCount) {
                sequences[grant.sequence.id]?.pages += fresh
            }
            rowCounts[grant.sequence.id] = min(grant.rowCount, room)
        }
        return grants.compactMap { grant in
            rowCounts[grant.sequence.id].map { StepComposition.Grant(sequence: grant.sequence, rowCount: $0) }
        }
    }

    /// Puts sequences back, the last by priority and age first, until the next step has a page more: those that come
    /// after this one and then this one itself, since who waits inside the pipeline keeps its pages from others. One
    /// alone has them all.
    private mutating func makeRoom(for id: SequenceID) {
        while !freeing.contains(where: { $0.contains { pages.userCount($0) == 1 } }), running.count > 1,
            let last = running.compactMap({ sequences[$0]?.rank }).max()
        {
            putBack(last.id)
            preemptionCount += 1
            if last.id == id { return }
        }
    }

    /// Takes a running sequence out of the pipeline, to be computed again later with the tokens that it has.
    mutating func putBack(_ id: SequenceID) {
        guard var sequence = sequences[id] else { return }
        leavePipeline(sequence)
        let isScored = requests[sequence.ticket]?.scoresAreComplete ?? true
        if !isScored { requests[sequence.ticket]?.promptScores = [] }
        sequence.restart(scoresAreSent: isScored)
        sequence.phase = .waiting
        sequence.isKnownToStages = false
        sequence.incarnation += 1
        sequences[id] = sequence
        waiting.insert(sequence.rank, of: sequence.client)
    }

    /// A running sequence is in no step from the next one on, which retires it; then its pages are free.
    mutating func leavePipeline(_ sequence: SequenceState) {
        running.removeAll { $0 == sequence.id }
        blockedPageVersion = nil
        if sequence.isKnownToStages { retiring.append(sequence.id) }
        if !sequence.pages.isEmpty { freeing.append(sequence.pages) }
    }
}
