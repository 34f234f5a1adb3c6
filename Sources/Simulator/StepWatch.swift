import Inference

/// Watches the steps of one epoch: never more in flight than there are credits, and no sequence in the pipeline that is
/// ready passed over for long.
struct StepWatch {
    private let creditCount: Int
    /// Steps that may pass over a sequence: all others take their turns, some of them a few times.
    private let passingLimit: UInt64
    private var inFlight: [[SequenceID]] = []
    private var firstInFlight = 0
    private var sequences: [SequenceID: State] = [:]
    private var sentCount: UInt64 = 0

    private struct State {
        /// The number of steps sent when it last took part or was answered.
        var since: UInt64
        var inFlightCount = 0
    }

    private static let checkDistance: UInt64 = 32

    init(stageCount: Int = 0, runningLimit: Int = 0) {
        creditCount = stageCount + 1
        passingLimit = UInt64(4 * (runningLimit + stageCount + 1))
    }

    mutating func sent(_ step: Step) throws(Breach) {
        sentCount += 1
        for sequence in step.retired { sequences[sequence] = nil }
        for slice in step.slices {
            let count = (sequences[slice.sequence]?.inFlightCount ?? 0) + 1
            sequences[slice.sequence] = State(since: sentCount, inFlightCount: count)
        }
        inFlight.append(step.slices.map(\.sequence))
        guard inFlight.count - firstInFlight <= creditCount else {
            throw Breach("\(inFlight.count - firstInFlight) steps are in flight, more than \(creditCount) credits")
        }
        guard sentCount % Self.checkDistance == 0 else { return }
        for (sequence, state) in sequences
        where state.inFlightCount == 0 && sentCount - state.since > passingLimit {
            throw Breach("\(sequence) was passed over by \(sentCount - state.since) steps although it could go on")
        }
    }

    /// The oldest step is answered.
    mutating func answered() {
        guard firstInFlight < inFlight.count else { return }
        for sequence in inFlight[firstInFlight] {
            guard var state = sequences[sequence], state.inFlightCount > 0 else { continue }
            state.inFlightCount -= 1
            state.since = sentCount
            sequences[sequence] = state
        }
        inFlight[firstInFlight] = []
        firstInFlight += 1
        if firstInFlight > 64 {
            inFlight.removeFirst(firstInFlight)
            firstInFlight = 0
        }
    }
}
