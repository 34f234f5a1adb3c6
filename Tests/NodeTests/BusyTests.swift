import CoordinatorNode
import Foundation
import Inference
import TestSupport
import Testing

@testable import WorkerNode

/// What stages did with their time.
@Suite struct BusyTests {
    private let second: UInt64 = 1_000_000

    @Test func `computing, waiting and idling are told apart`() {
        var window = ActivityWindow(now: 0)
        window.beginStep(continuesSequences: false, now: 1 * second)
        window.finishStep(now: 2 * second)
        // The sequence's next token was on its way for half a second.
        window.beginStep(continuesSequences: true, now: 2 * second + second / 2)
        window.finishStep(now: 3 * second)
        // Then a new sequence came: idle before.
        window.beginStep(continuesSequences: false, now: 4 * second)
        window.finishStep(now: 5 * second)
        let activity = window.activity(now: 5 * second)
        #expect(activity.windowMicroseconds == 5 * second)
        #expect(activity.busyMicroseconds == 2 * second + second / 2)
        #expect(activity.bubbleMicroseconds == second / 2)
        #expect(activity.busyFraction == 0.5 && activity.bubbleFraction == 0.1)
    }

    @Test func `a step in work counts, and what is long ago does not`() {
        var window = ActivityWindow(now: 7 * second)
        window.beginStep(continuesSequences: false, now: 8 * second)
        #expect(window.activity(now: 10 * second).busyFraction == 2.0 / 3)
        window.finishStep(now: 12 * second)
        // The window begins 9.5 s before the half second that runs.
        let later = window.activity(now: 20 * second)
        #expect(later.windowMicroseconds == 9_500_000 && later.busyMicroseconds == 1_500_000)
        #expect(window.activity(now: 40 * second).busyMicroseconds == 0)
        // A step longer than the window fills it.
        window.beginStep(continuesSequences: true, now: 40 * second)
        window.finishStep(now: 100 * second)
        let long = window.activity(now: 100 * second)
        #expect(long.busyFraction == 1 && long.bubbleMicroseconds == 0)
    }

    @Test func `no more than the window is ever counted`() {
        var random = SeededGenerator(seed: 11)
        var window = ActivityWindow(now: 0)
        var now: UInt64 = 0
        for _ in 0..<2000 {
            now += UInt64.random(in: 0...700_000, using: &random)
            window.beginStep(continuesSequences: Bool.random(using: &random), now: now)
            now += UInt64.random(in: 0...700_000, using: &random)
            window.finishStep(now: now)
            let activity = window.activity(now: now)
            #expect(activity.windowMicroseconds <= 10 * second)
            #expect(activity.busyMicroseconds + activity.bubbleMicroseconds <= activity.windowMicroseconds)
        }
        #expect(window.activity(now: now).busyMicroseconds > second)
    }

    @Test func `the status shows that the stages of a single stream wait for each other`() async throws {
        var cluster = TestCluster(modelPath: DemoModelFile.url.path, workerCount: 2)
        cluster.heartbeatMilliseconds = 50
        try await cluster.run { coordinator in
            let idle = try await coordinator.status().workers
            #expect(idle.allSatisfy { $0.busyFraction == 0 && $0.bubbleFraction == 0 })
            let request = GenerationRequest(
                id: RequestID("busy"), prompt: [5, 6, 7], maxTokens: 300, seed: 1, ignoreEndOfSequence: true)
            let answering = Task { try await coordinator.answer(request) }
            var seen: [WorkerStatus] = []
            let deadline = ContinuousClock.now.advanced(by: .seconds(30))
            while ContinuousClock.now < deadline {
                seen = try await coordinator.status().workers
                if seen.allSatisfy({ $0.busyFraction > 0 && $0.bubbleFraction > 0 }) { break }
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try await answering.value.ids.count == 300)
            #expect(seen.count == 2)
            for worker in seen {
                #expect(worker.busyFraction > 0 && worker.bubbleFraction > 0)
                #expect(worker.busyFraction + worker.bubbleFraction <= 1.001)
            }
        }
    }
}
