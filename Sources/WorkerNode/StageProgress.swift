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

    private let counts = Mutex(Counts())

    var current: Counts { counts.withLock { $0 } }

    func enter(layer: Int) { counts.withLock { $0.layer = layer } }

    func finishStep(rowCount: Int, busy: Duration) {
        let (seconds, attoseconds) = busy.components
        let microseconds = UInt64(max(0, seconds)) * 1_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000_000
        counts.withLock {
            $0.finishedStepCount += 1
            $0.computedRowCount += UInt64(rowCount)
            $0.busyMicroseconds += microseconds
            $0.layer = nil
        }
    }
}
