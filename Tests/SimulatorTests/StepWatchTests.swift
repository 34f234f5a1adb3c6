import Inference
import Testing

@testable import Simulator

@Suite struct StepWatchTests {
    private func step(_ number: UInt64, _ sequence: UInt64) -> Step {
        SimulatedPagesTests.step(number, [SimulatedPagesTests.slice(sequence, from: Int(number), [1])])
    }

    @Test func `more steps in flight than credits are found`() throws {
        var watch = StepWatch(stageCount: 2, runningLimit: 4)
        for number in 0..<3 { try watch.sent(step(UInt64(number), 1)) }
        watch.answered()
        try watch.sent(step(3, 1))
        #expect(throws: Breach.self) { try watch.sent(step(4, 1)) }
    }

    @Test func `a sequence that is passed over again and again is found, until it is retired`() throws {
        func run(retiringAt last: UInt64?) throws {
            var watch = StepWatch(stageCount: 1, runningLimit: 4)
            try watch.sent(step(0, 1))
            watch.answered()
            for number in 1..<200 {
                let number = UInt64(number)
                try watch.sent(
                    number == last ? SimulatedPagesTests.step(number, retired: [1]) : step(number, 2))
                watch.answered()
            }
        }
        #expect(throws: Breach.self) { try run(retiringAt: nil) }
        try run(retiringAt: 10)
    }
}
