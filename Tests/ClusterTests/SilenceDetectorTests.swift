import TestSupport
import Testing

@testable import Cluster

@Suite struct SilenceDetectorTests {
    private func detector() -> SilenceDetector { SilenceDetector(least: 3000, most: 4500) }

    @Test func `until enough heartbeats came the longest patience counts`() {
        var detector = detector()
        for beat in 0..<8 {
            detector.hear(now: Double(beat) * 250)
            #expect(detector.limitMilliseconds == 4500)
        }
        detector.hear(now: 8 * 250)
        #expect(detector.limitMilliseconds == 3000)
    }

    @Test func `the limit follows the rhythm between its bounds`() {
        var free = SilenceDetector(least: 0, most: 100_000)
        for beat in 0...20 { free.hear(now: Double(beat) * 250) }
        #expect(free.limitMilliseconds == 250)
        // One that came late widens it, until it is forgotten.
        var now = 20.0 * 250 + 1000
        free.hear(now: now)
        #expect(free.limitMilliseconds > 1000)
        for _ in 0..<64 {
            now += 250
            free.hear(now: now)
        }
        #expect(free.limitMilliseconds == 250)
        var wide = detector()
        for beat in 0...20 { wide.hear(now: Double(beat * beat) * 200) }
        #expect(wide.limitMilliseconds == 4500)
    }

    @Test(arguments: 0..<50) func `jitter in the range that was learnt raises no alarm`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        // No bounds that could hide an alarm.
        var detector = SilenceDetector(least: 0, most: .greatestFiniteMagnitude)
        var now = 0.0
        let shortest = Double.random(in: 1...500, using: &random)
        let longest = shortest * Double.random(in: 1...20, using: &random)
        // What can happen has been seen.
        for interval in [shortest, longest, shortest, longest] + Array(repeating: longest, count: 8) {
            now += interval
            detector.hear(now: now)
        }
        for beat in 0..<2000 {
            // The longest one is never out of sight.
            let interval = beat % 32 == 0 ? longest : Double.random(in: shortest...longest, using: &random)
            #expect(interval <= detector.limitMilliseconds * 1.000001, "seed \(seed), beat \(beat)")
            now += interval
            detector.hear(now: now)
        }
        #expect(detector.limitMilliseconds <= 4 * longest)
    }
}
