import Foundation
import Host
import TestSupport
import Testing

@Suite struct MachineTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try directory.write(
            "MemTotal:       32768000 kB\nMemFree:        1000000 kB\nMemAvailable:   20000000 kB\n",
            to: "proc/meminfo")
        try directory.write("processor : 0\nmodel name\t: Some CPU @ 2.0GHz\nflags : a\n", to: "proc/cpuinfo")
    }

    private func machine(_ cpus: [Int] = Array(0..<8)) -> Machine {
        Machine.detect(root: directory.url.path, cpus: cpus)
    }

    @Test func `without control groups the hardware counts`() {
        let machine = machine()
        #expect(machine.usableCPUCount == 8)
        #expect(machine.cpuQuota == nil)
        #expect(machine.totalByteCount == 32_768_000 * 1024)
        #expect(machine.memoryLimitByteCount == nil)
        #expect(machine.availableByteCount == 20_000_000 * 1024)
        #expect(machine.cpuModel == "Some CPU @ 2.0GHz")
        #expect(machine.nodes == [Machine.Node(id: 0, cpus: Array(0..<8), byteCount: 32_768_000 * 1024)])
    }

    @Test func `a version 2 group limits processors and memory`() throws {
        try directory.write("0::/app/worker\n", to: "proc/self/cgroup")
        try directory.write("250000 100000\n", to: "sys/fs/cgroup/app/worker/cpu.max")
        try directory.write("max\n", to: "sys/fs/cgroup/app/worker/memory.max")
        try directory.write("4294967296\n", to: "sys/fs/cgroup/app/memory.max")
        try directory.write("3000000000\n", to: "sys/fs/cgroup/app/memory.current")
        try directory.write("anon 5\ninactive_file 1000000000\n", to: "sys/fs/cgroup/app/memory.stat")
        let machine = machine()
        #expect(machine.cpuQuota == 2.5)
        #expect(machine.usableCPUCount == 3)
        #expect(machine.totalByteCount == 4_294_967_296)
        #expect(machine.availableByteCount == 4_294_967_296 - 2_000_000_000)
    }

    @Test func `the group around a group limits it too`() throws {
        try directory.write("0::/outer/inner\n", to: "proc/self/cgroup")
        try directory.write("max 100000\n", to: "sys/fs/cgroup/outer/inner/cpu.max")
        try directory.write("50000 100000\n", to: "sys/fs/cgroup/outer/cpu.max")
        #expect(machine().usableCPUCount == 1)
    }

    @Test func `in a container the mount's top is the group`() throws {
        try directory.write("0::/docker/0123\n", to: "proc/self/cgroup")
        try directory.write("150000 100000\n", to: "sys/fs/cgroup/cpu.max")
        try directory.write("1073741824\n", to: "sys/fs/cgroup/memory.max")
        #expect(machine().usableCPUCount == 2)
        #expect(machine().totalByteCount == 1 << 30)
    }

    @Test func `version 1 groups limit processors and memory`() throws {
        try directory.write(
            "9:name=systemd:/\n4:memory:/box\n2:cpu,cpuacct:/box\n0::/\n", to: "proc/self/cgroup")
        try directory.write("-1\n", to: "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us")
        try directory.write("100000\n", to: "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us")
        try directory.write("400000\n", to: "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us")
        try directory.write("100000\n", to: "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us")
        try directory.write("9223372036854771712\n", to: "sys/fs/cgroup/memory/memory.limit_in_bytes")
        try directory.write("2147483648\n", to: "sys/fs/cgroup/memory/box/memory.limit_in_bytes")
        try directory.write("147483648\n", to: "sys/fs/cgroup/memory/box/memory.usage_in_bytes")
        let machine = machine()
        #expect(machine.usableCPUCount == 4)
        #expect(machine.totalByteCount == 2_147_483_648)
        #expect(machine.availableByteCount == 2_000_000_000)
    }

    @Test func `a limit above the hardware changes nothing`() throws {
        try directory.write("0::/\n", to: "proc/self/cgroup")
        try directory.write("6400000 100000\n", to: "sys/fs/cgroup/cpu.max")
        try directory.write("999999999999999\n", to: "sys/fs/cgroup/memory.max")
        let machine = machine([2, 3])
        #expect(machine.usableCPUCount == 2)
        #expect(machine.memoryLimitByteCount == nil)
        #expect(machine.totalByteCount == 32_768_000 * 1024)
    }

    @Test func `memory nodes list the processors that are allowed`() throws {
        try directory.write("0-1\n", to: "sys/devices/system/node/online")
        try directory.write("0-3,8\n", to: "sys/devices/system/node/node0/cpulist")
        try directory.write("4-7\n", to: "sys/devices/system/node/node1/cpulist")
        try directory.write("Node 0 MemTotal:  1000 kB\n", to: "sys/devices/system/node/node0/meminfo")
        try directory.write("Node 1 MemTotal:  2000 kB\n", to: "sys/devices/system/node/node1/meminfo")
        #expect(
            machine([0, 1, 4, 8]).nodes == [
                Machine.Node(id: 0, cpus: [0, 1, 8], byteCount: 1_024_000),
                Machine.Node(id: 1, cpus: [4], byteCount: 2_048_000),
            ])
    }

    @Test func `nonsense in the system's files is survived`() throws {
        try directory.write("garbage\n0::\n7:cpu\n::::\n3:memory:../../etc\n", to: "proc/self/cgroup")
        try directory.write("-5 0\n", to: "sys/fs/cgroup/cpu.max")
        try directory.write("99999999999999999999999\n", to: "sys/fs/cgroup/memory.max")
        try directory.write("5-1,x,-3,999999999\n", to: "sys/devices/system/node/online")
        try directory.write("MemTotal: 99999999999999999999 kB\nx\n", to: "proc/meminfo")
        let machine = machine([0])
        #expect(machine.usableCPUCount == 1)
        #expect(machine.totalByteCount == 0)
        #expect(machine.nodes.count == 1)
    }

    @Test func `this machine has processors and memory`() {
        let machine = Machine.detect()
        #expect(machine.usableCPUCount >= 1)
        #expect(machine.cpus == machine.cpus.sorted())
        #expect(machine.totalByteCount > 1 << 20)
        #expect(machine.availableByteCount <= machine.physicalByteCount)
    }
}
