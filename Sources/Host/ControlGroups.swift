/// The limits of the control groups that this process is in, and of the groups around them.
///
/// Formats: the kernel's `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/`. Inside a container the path in
/// `/proc/self/cgroup` may name a folder that is not visible; the limits are then those of the mount's top folder.
struct ControlGroups {
    private let files: SystemFiles
    /// Folders from the innermost visible group to the top, for each kind of limit.
    private let unified: [String]
    private let cpu: [String]
    private let memory: [String]

    init(files: SystemFiles) {
        self.files = files
        var unified: [String] = []
        var cpu: [String] = []
        var memory: [String] = []
        for line in (files.text("proc/self/cgroup") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let controllers = parts[1].split(separator: ",")
            let path = String(parts[2])
            if parts[0] == "0", controllers.isEmpty {
                unified = Self.chain(mounts: ["sys/fs/cgroup", "sys/fs/cgroup/unified"], path: path)
            }
            if controllers.contains("cpu") {
                cpu = Self.chain(mounts: ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"], path: path)
            }
            if controllers.contains("memory") {
                memory = Self.chain(mounts: ["sys/fs/cgroup/memory"], path: path)
            }
        }
        self.unified = unified
        self.cpu = cpu
        self.memory = memory
    }

    /// The tightest processor quota, in processors.
    func cpuQuota() -> Double? {
        var quotas: [Double] = []
        for folder in unified {
            let words = files.text(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace) ?? []
            if words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), quota > 0, period > 0 {
                quotas.append(quota / period)
            }
        }
        for folder in cpu {
            // -1 stands for no limit, which `number` does not read.
            if let quota = files.number(folder + "/cpu.cfs_quota_us"), quota > 0,
                let period = files.number(folder + "/cpu.cfs_period_us"), period > 0
            {
                quotas.append(Double(quota) / Double(period))
            }
        }
        return quotas.filter(\.isFinite).min()
    }

    /// The tightest memory limit in bytes.
    func memoryLimit() -> Int? {
        memoryAccounts().map(\.limit).min()
    }

    /// The least number of bytes that can still be taken below every limit; page cache counts as free.
    func memoryRoom() -> Int? {
        memoryAccounts().map { max(0, $0.limit - max(0, $0.used - $0.reclaimable)) }.min()
    }

    private struct Account {
        let limit: Int
        let used: Int
        let reclaimable: Int
    }

    private func memoryAccounts() -> [Account] {
        let v2 = unified.map { ($0, "memory.max", "memory.current", "inactive_file") }
        let v1 = memory.map { ($0, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file") }
        return (v2 + v1).compactMap { folder, limitName, usageName, cacheName in
            // v1 writes a number close to 2^63 for no limit.
            guard let limit = files.number("\(folder)/\(limitName)"), limit < 1 << 60 else { return nil }
            let used = files.number("\(folder)/\(usageName)") ?? 0
            var reclaimable = 0
            for line in (files.text("\(folder)/memory.stat") ?? "").split(separator: "\n") {
                let words = line.split(separator: " ")
                if words.count == 2, words[0] == cacheName { reclaimable = max(0, Int(words[1]) ?? 0) }
            }
            return Account(limit: limit, used: used, reclaimable: reclaimable)
        }
    }

    /// The folders from `path` up to the mount's top, under every mount that it may be.
    private static func chain(mounts: [String], path: String) -> [String] {
        var names = path.split(separator: "/").filter { $0 != ".." && $0 != "." }
        var folders: [String] = []
        while true {
            for mount in mounts { folders.append(([mount] + names.map(String.init)).joined(separator: "/")) }
            if names.isEmpty { return folders }
            names.removeLast()
        }
    }
}
