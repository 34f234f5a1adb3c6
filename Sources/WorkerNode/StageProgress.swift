import Inference
import Synchronization

/// What a stage has done so far, readable while it computes: the source of heartbeats.
final class StageProgress: Sendable {
    struct Counts {
        var finishedStepCount: UInt64 = 0
        var computedRowCount: UInt64 = 0
        var busyMicroseconds: UInt64 = 0
        /// The layer in work; nil when idle.
        var layer: Int?
    }

    private struct State {
        var counts = Counts()
        var activity: ActivityWindow?
    }

    private let state = Mutex(State())
    private let began = ContinuousClock.now

    var current: Counts { state.withLock { $0.counts } }

    /// The latest seconds of service.
    var recent: StageActivity {
        let now = now
        return state.withLock { $0.activity?.activity(now: now) ?? .none }
    }

    /// From now on idle time counts.
    func beginServing() {
        let now = now
        state.withLock { $0.activity = ActivityWindow(now: now) }
    }

    func enter(layer: Int) { state.withLock { $0.counts.layer = layer } }

    func begin(_ step: Step) {
        let now = now
        let continues = step.continuesSequences
        state.withLock { $0.activity?.beginStep(continuesSequences: continues, now: now) }
    }

    func finish(_ step: Step, busy: Duration) {
        let now = now
        state.withLock {
            $0.counts.finishedStepCount += 1
            $0.counts.computedRowCount += UInt64(step.rowCount)
            $0.counts.busyMicroseconds += Self.microseconds(busy)
            $0.counts.layer = nil
            $0.activity?.finishStep(now: now)
        }
    }

    /// Microseconds since the assignment came.
    private var now: UInt64 { Self.microseconds(ContinuousClock.now - began) }

    private static func microseconds(_ duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = duration.components
        return UInt64(max(0, seconds)) * 1_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000_000
    }
}
