import CHost
import Foundation

/// What this process may use of the machine: processors, memory, and how they hang together.
///
/// Limits of control groups (v1 and v2, containers among them) count as well as the hardware.
public struct Machine: Sendable, Hashable {
    /// Processors that this process may run on, ascending.
    public let cpus: [Int]
    /// Processor time that the control group grants, in processors; nil without a limit.
    public let cpuQuota: Double?
    /// Physical memory in bytes.
    public let physicalByteCount: Int
    /// Memory limit of the control group in bytes; nil without a limit.
    public let memoryLimitByteCount: Int?
    /// Memory in bytes that this process can still take without swapping or meeting its limit, now.
    public let availableByteCount: Int
    /// Memory nodes with their processors, ascending; never empty.
    public let nodes: [Node]
    /// The processor's name as the system gives it, or "unknown".
    public let cpuModel: String

    /// One memory node (NUMA).
    public struct Node: Sendable, Hashable {
        /// The kernel's number of the node.
        public let id: Int
        /// Processors of the node that this process may use, ascending.
        public let cpus: [Int]
        /// Memory attached to the node in bytes; 0 when the kernel does not say.
        public let byteCount: Int

        public init(id: Int, cpus: [Int], byteCount: Int) {
            self.id = id
            self.cpus = cpus
            self.byteCount = byteCount
        }
    }

    /// How many threads can compute at once: allowed processors, or the quota rounded up if that is less.
    public var usableCPUCount: Int {
        guard let cpuQuota else { return max(1, cpus.count) }
        return max(1, min(cpus.count, Int(min(cpuQuota.rounded(.up), 1_000_000))))
    }

    /// Memory in bytes that this process may use in all: the machine's, or its limit if that is less.
    public var totalByteCount: Int { min(physicalByteCount, memoryLimitByteCount ?? .max) }

    /// Reads the machine's files.
    ///
    /// - Parameters:
    ///   - root: where `/proc` and `/sys` hang; a test gives a folder of its own.
    ///   - cpus: processors to assume; nil asks the kernel.
    public static func detect(root: String = "/", cpus: [Int]? = nil) -> Machine {
        let files = SystemFiles(root: root)
        let groups = ControlGroups(files: files)
        let allowed = cpus ?? allowedCPUs()
        let memory = files.memoryInfo()
        let physical = memory["MemTotal"] ?? 0
        let limit = groups.memoryLimit().flatMap { $0 < physical || physical == 0 ? $0 : nil }
        var available = memory["MemAvailable"] ?? memory["MemFree"] ?? physical
        if let room = groups.memoryRoom() { available = min(available, room) }
        return Machine(
            cpus: allowed,
            cpuQuota: groups.cpuQuota(),
            physicalByteCount: physical,
            memoryLimitByteCount: limit,
            availableByteCount: max(0, available),
            nodes: files.nodes(allowed: allowed, physicalByteCount: physical),
            cpuModel: files.cpuModel())
    }

    /// The processors that the calling thread may run on, ascending, from the kernel.
    public static func allowedCPUs() -> [Int] {
        var numbers = [Int32](repeating: 0, count: 1024)
        for _ in 0..<2 {
            // The C side writes at most as many entries as the buffer has.
            let count = unsafe numbers.withUnsafeMutableBufferPointer { buffer in
                unsafe chost_allowed_cpus(buffer.baseAddress, Int32(buffer.count))
            }
            if count > Int32(numbers.count) {
                numbers = [Int32](repeating: 0, count: Int(count))
                continue
            }
            if count > 0 { return numbers.prefix(Int(count)).map(Int.init) }
            break
        }
        return Array(0..<max(1, ProcessInfo.processInfo.activeProcessorCount))
    }
}
