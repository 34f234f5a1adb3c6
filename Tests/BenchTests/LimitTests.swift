import Foundation
import Host
import Kernels
import Testing

@testable import Bench

/// Limits, the parts of them that are reached, and the probes that measure them.
@Suite(.serialized) struct LimitTests {
    private let limits = MachineLimits(
        readGigabytesPerSecond: 50, repeatedReadGigabytesPerSecond: 50, int8GigamacsPerSecond: 400,
        float32GigamacsPerSecond: 100)

    @Test func `a fraction is the speed over the limit`() {
        // 10 GB in half a second are 20 GB/s of 50; 100 billion in one second are a quarter of 400.
        #expect(limits.fractionOfBandwidth(byteCount: 10e9, seconds: 0.5) == 0.4)
        #expect(limits.fractionOfInt8Peak(multiplyAddCount: 100e9, seconds: 1) == 0.25)
    }

    @Test func `the larger of two limits counts, each for itself`() {
        let other = MachineLimits(
            readGigabytesPerSecond: 60, repeatedReadGigabytesPerSecond: 40, int8GigamacsPerSecond: 300,
            float32GigamacsPerSecond: 200)
        let larger = limits.larger(other)
        #expect(larger == other.larger(limits))
        #expect(
            larger
                == MachineLimits(
                    readGigabytesPerSecond: 60, repeatedReadGigabytesPerSecond: 50, int8GigamacsPerSecond: 400,
                    float32GigamacsPerSecond: 200))
    }

    @Test func `a kernel is held against the limit that takes longest`() {
        let measure = { (byteCount: Double, multiplyAddCount: Double) in
            KernelMeasurement(
                operation: "matrix product", format: "Q4_K", rowCount: 1, isa: "scalar", seconds: 2,
                multiplyAddCount: multiplyAddCount, byteCount: byteCount, bytesPerSecond: 50e9,
                peak: (.int8, 400e9))
        }
        let reading = measure(80e9, 400e9)
        #expect(reading.limit == .reading && reading.fraction == 0.8)
        #expect(reading.gigabytesPerSecond == 40 && reading.gigamacsPerSecond == 200)
        let multiplying = measure(20e9, 400e9)
        #expect(multiplying.limit == .int8 && multiplying.fraction == 0.5)
    }

    @Test(arguments: ISA.allCases.filter(\.isAvailable))
    func `every instruction set has a peak for integers and for floats`(isa: ISA) throws {
        let probe = LimitProbe(pool: try ComputePool(threadCount: 1), largeByteCount: 64 << 20)
        let limits = try probe.limits(isa: isa, repeatedByteCount: 1 << 20)
        #expect(limits.int8GigamacsPerSecond > 0 && limits.float32GigamacsPerSecond > 0)
        #expect(limits.readGigabytesPerSecond > 0)
        #expect(limits.repeatedReadGigabytesPerSecond >= limits.readGigabytesPerSecond)
    }

    @Test func `the processors' time is divided into idle, ours and others'`() throws {
        let line = { (user: Int, idle: Int, stolen: Int) in "cpu  \(user) 0 50 \(idle) 10 5 5 \(stolen) 0 0\ncpu0 1 2\n"
        }
        let before = try #require(
            ProcessorUse(statistics: line(100, 1000, 0), ticksPerSecond: 100, ownSeconds: 1))
        let after = try #require(
            ProcessorUse(statistics: line(300, 1160, 40), ticksPerSecond: 100, ownSeconds: 2))
        // 4 seconds in all, 2.4 of them busy, 1 of these ours.
        #expect(after.totalSeconds - before.totalSeconds == 4)
        let others = try #require(after.othersFraction(since: before))
        #expect(abs(others - 0.35) < 1e-9)
        #expect(before.othersFraction(since: before) == nil)
        #expect(ProcessorUse(statistics: "intr 1 2 3", ticksPerSecond: 100, ownSeconds: 0) == nil)
        #expect(ProcessorUse(statistics: "", ticksPerSecond: 100, ownSeconds: 0) == nil)
    }

    @Test func `the median is the one in the middle or the mean of two`() {
        #expect([3.0, 1, 2].median == 2)
        #expect([4.0, 1, 2, 3].median == 2.5)
        #expect([Double]().median == 0)
    }
}
