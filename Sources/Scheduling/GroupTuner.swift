/// How many micro-batches the decode tokens are spread over, found by measuring.
///
/// One for each stage keeps all stages busy, but every one of them reads the weights again. Where stages share a memory
/// bus, or every step costs time that the others wait for, fewer and larger ones are faster; where links are slow, one
/// more may be. So the neighbours of what is in use are tried now and then, for a few rounds (a token for each sequence)
/// each, and taken over when they are clearly faster twice in a row. After a trial that was in vain the next one waits
/// longer, so that trials cost next to nothing in the long run.
///
/// Only rounds without prompt rows are compared, and only as long as about equally many sequences decode. Nothing here
/// changes a token: all that is decided is which steps they share.
struct GroupTuner: Sendable {
    private enum Phase {
        case resting(roundCount: Double)
        case measuringSettled
        /// `speed` is that of the settled count, in rounds per millisecond.
        case measuringCandidate(Int, speed: Double)
    }

    /// What was seen of one count.
    private struct Window {
        var roundCount = 0.0
        var milliseconds = 0.0
        /// Rounds in all, those that were not measured among them.
        var passedRoundCount = 0.0
        var decodingCount: Int?
    }

    /// The count that is best as far as is known.
    private(set) var settledCount: Int
    private let mostCount: Int
    private var phase = Phase.resting(roundCount: restRoundCounts.lowerBound)
    private var window = Window()
    /// Rounds since the count changed or a prompt was computed.
    private var quietRoundCount = 0.0
    private var latestMilliseconds: Double?
    /// Whether fewer ones are tried next.
    private var triesFewer = true
    private var winCount = 0
    private var failureCount = 0
    private var restRoundCount = restRoundCounts.lowerBound

    private static let restRoundCounts = 128.0...4096.0
    /// After a trial that was disturbed.
    private static let shortRestRoundCount = 32.0
    private static let settlingRoundCount = 2.0
    private static let measuredRoundCount = 4.0
    /// A trial that takes longer is disturbed too often.
    private static let patienceRoundCount = 64.0
    private static let clearGain = 1.04
    private static let neededWinCount = 2

    /// - Parameters:
    ///   - initialCount: what to begin with.
    ///   - mostCount: the most steps in flight.
    init(initialCount: Int, mostCount: Int) {
        precondition((1...mostCount).contains(initialCount))
        settledCount = initialCount
        self.mostCount = mostCount
    }

    /// Micro-batches to have in flight now.
    var groupCount: Int {
        if case .measuringCandidate(let count, _) = phase { return count }
        return settledCount
    }

    /// A step's result came.
    ///
    /// - Parameters:
    ///   - tokenCount: tokens of answers in it.
    ///   - hasPromptRows: whether it computed (also) prompts.
    ///   - decodingCount: sequences that decode.
    mutating func note(tokenCount: Int, hasPromptRows: Bool, decodingCount: Int, now: Double) {
        let elapsed = latestMilliseconds.map { now - $0 } ?? 0
        latestMilliseconds = now
        guard decodingCount > 1 else { return giveUp() }
        let roundCount = Double(tokenCount) / Double(decodingCount)
        if case .resting(let left) = phase {
            phase = .resting(roundCount: left - roundCount)
            if left <= roundCount { begin(.measuringSettled) }
            return
        }
        window.passedRoundCount += roundCount
        guard window.passedRoundCount < Self.patienceRoundCount else { return giveUp() }
        guard !hasPromptRows else {
            quietRoundCount = 0
            return
        }
        quietRoundCount += roundCount
        guard quietRoundCount > Self.settlingRoundCount else { return }
        let reference = window.decodingCount ?? decodingCount
        window.decodingCount = reference
        guard abs(decodingCount - reference) * 8 <= reference else { return giveUp() }
        window.roundCount += roundCount
        window.milliseconds += elapsed
        if window.roundCount >= Self.measuredRoundCount && window.milliseconds > 0 { conclude(reference) }
    }

    private mutating func conclude(_ decodingCount: Int) {
        let speed = window.roundCount / window.milliseconds
        switch phase {
        case .resting: break
        case .measuringSettled:
            guard let candidate = candidate(decodingCount) else { return rest() }
            begin(.measuringCandidate(candidate, speed: speed), decodingCount: decodingCount)
        case .measuringCandidate(let candidate, let settledSpeed):
            guard speed > settledSpeed * Self.clearGain else { return fail() }
            winCount += 1
            if winCount == Self.neededWinCount {
                settledCount = candidate
                (winCount, failureCount) = (0, 0)
                restRoundCount = Self.restRoundCounts.lowerBound
            }
            begin(.measuringSettled)
        }
    }

    /// The neighbour to try: a step of one, or of a quarter of many. More groups than sequences would be empty.
    private mutating func candidate(_ decodingCount: Int) -> Int? {
        let most = min(mostCount, decodingCount)
        let current = min(settledCount, most)
        for _ in 0..<2 {
            let candidate = triesFewer ? current - max(1, current / 4) : min(current + max(1, current / 3), most)
            if candidate >= 1 && candidate != current { return candidate }
            triesFewer.toggle()
        }
        return nil
    }

    private mutating func fail() {
        triesFewer.toggle()
        winCount = 0
        failureCount += 1
        if failureCount.isMultiple(of: 2) {
            restRoundCount = min(2 * restRoundCount, Self.restRoundCounts.upperBound)
        }
        rest()
    }

    /// Ends a trial that says nothing.
    private mutating func giveUp() {
        if case .resting = phase { return }
        begin(.resting(roundCount: Self.shortRestRoundCount))
    }

    private mutating func rest() { begin(.resting(roundCount: restRoundCount)) }

    private mutating func begin(_ next: Phase, decodingCount: Int? = nil) {
        if case .resting = next { winCount = 0 }
        phase = next
        window = Window(decodingCount: decodingCount)
        quietRoundCount = 0
    }
}
