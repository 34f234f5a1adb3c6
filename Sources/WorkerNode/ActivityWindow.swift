import Inference

/// How a stage spent its latest ten seconds, give or take a half: computing, waiting while sequences run, or idle.
///
/// A wait is a bubble when the step that ends it goes on with sequences that the stage knew: their tokens were on their
/// way through other stages, links and the coordinator. Before a step that only begins sequences, the stage was idle for
/// want of requests. Time is an argument: microseconds on any steady clock. Nothing is allocated after `init`.
struct ActivityWindow {
    private struct Part {
        var busyMicroseconds: UInt64 = 0
        var bubbleMicroseconds: UInt64 = 0
    }

    static let partMicroseconds: UInt64 = 500_000
    static let partCount: UInt64 = 20

    private let beganMicroseconds: UInt64
    /// A ring: part `n` of time lies at `n % partCount`.
    private var parts = [Part](repeating: Part(), count: Int(partCount))
    private var newestPart: UInt64
    /// When the step in work began; nil while none is.
    private var stepBegan: UInt64?
    /// When the latest step was finished.
    private var stepFinished: UInt64?

    init(now: UInt64) {
        beganMicroseconds = now
        newestPart = now / Self.partMicroseconds
    }

    mutating func beginStep(continuesSequences: Bool, now: UInt64) {
        advance(to: now)
        if continuesSequences, let stepFinished { add(\.bubbleMicroseconds, from: stepFinished, to: now) }
        stepBegan = now
    }

    mutating func finishStep(now: UInt64) {
        advance(to: now)
        guard let began = stepBegan else { return }
        add(\.busyMicroseconds, from: began, to: now)
        stepBegan = nil
        stepFinished = now
    }

    /// The window up to now; a step in work counts as far as it is.
    mutating func activity(now: UInt64) -> StageActivity {
        advance(to: now)
        let from = windowStart
        let inWork = stepBegan.map { now - min(now, max($0, from)) } ?? 0
        return StageActivity(
            windowMicroseconds: now - min(now, from),
            busyMicroseconds: parts.reduce(inWork) { $0 + $1.busyMicroseconds },
            bubbleMicroseconds: parts.reduce(0) { $0 + $1.bubbleMicroseconds })
    }

    private var oldestPart: UInt64 { newestPart - min(newestPart, Self.partCount - 1) }

    private var windowStart: UInt64 { max(beganMicroseconds, oldestPart * Self.partMicroseconds) }

    /// Forgets what is too long ago.
    private mutating func advance(to now: UInt64) {
        let part = now / Self.partMicroseconds
        guard part > newestPart else { return }
        for passed in 0..<min(part - newestPart, Self.partCount) {
            parts[Int((part - passed) % Self.partCount)] = Part()
        }
        newestPart = part
    }

    /// Adds a stretch of time to the parts that it lies in, as far as they are in the window.
    private mutating func add(_ kind: WritableKeyPath<Part, UInt64>, from: UInt64, to end: UInt64) {
        var start = max(from, windowStart)
        while start < end {
            let part = start / Self.partMicroseconds
            let next = min(end, (part + 1) * Self.partMicroseconds)
            parts[Int(part % Self.partCount)][keyPath: kind] += next - start
            start = next
        }
    }
}
