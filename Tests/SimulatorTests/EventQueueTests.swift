import TestSupport
import Testing

@testable import Simulator

@Suite struct EventQueueTests {
    @Test func `events come by time, and at one time as they were scheduled`() {
        var random = SeededGenerator(seed: 3)
        var queue = EventQueue<Int>()
        var all: [(time: Double, event: Int)] = []
        for event in 0..<2000 {
            let time = Double(Int.random(in: 0..<50, using: &random))
            queue.schedule(event, at: time)
            all.append((time, event))
        }
        let expected = all.sorted { ($0.time, $0.event) < ($1.time, $1.event) }.map(\.event)
        var found: [Int] = []
        while let (_, event) = queue.popFirst() { found.append(event) }
        #expect(found == expected)
    }
}
