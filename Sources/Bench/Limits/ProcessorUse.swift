import Foundation

/// How busy the machine's processors have been, and how busy with this process: a measurement that shared them is not
/// worth much.
struct ProcessorUse: Sendable {
    /// Processor seconds since the machine was started, idle ones included.
    let totalSeconds: Double
    /// Those in which something ran, other guests of a shared machine ("steal") included.
    let busySeconds: Double
    /// Those of this process.
    let ownSeconds: Double

    /// Now; nil where the kernel does not tell.
    static func current() -> ProcessorUse? {
        guard let handle = FileHandle(forReadingAtPath: "/proc/stat") else { return nil }
        defer { try? handle.close() }
        guard let data = try? handle.read(upToCount: 4096) else { return nil }
        return ProcessorUse(
            statistics: String(decoding: data, as: UTF8.self), ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)),
            ownSeconds: ownSeconds())
    }

    /// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, in clock ticks.
    init?(statistics: String, ticksPerSecond: Int, ownSeconds: Double) {
        guard let line = statistics.split(separator: "\n").first else { return nil }
        let words = line.split(separator: " ")
        let ticks = words.dropFirst().prefix(8).compactMap { Double($0) }
        guard words.first == "cpu", ticks.count == 8, ticksPerSecond > 0 else { return nil }
        let total = ticks.reduce(0, +)
        totalSeconds = total / Double(ticksPerSecond)
        busySeconds = (total - ticks[3] - ticks[4]) / Double(ticksPerSecond)
        self.ownSeconds = ownSeconds
    }

    /// The part of the machine that others took since an earlier moment: 0 to 1, nil when too little time has passed.
    func othersFraction(since earlier: ProcessorUse) -> Double? {
        let total = totalSeconds - earlier.totalSeconds
        guard total > 0 else { return nil }
        let others = (busySeconds - earlier.busySeconds) - (ownSeconds - earlier.ownSeconds)
        return min(max(others / total, 0), 1)
    }

    private static func ownSeconds() -> Double {
        var usage = rusage()
        // Only writes the structure.
        guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
    }
}
