import CoordinatorNode
import Foundation
import Host
import Inference
import TestSupport
import Testing
import Transport
import WorkerNode

@testable import Checkpoint

/// Workers without the model: they fetch what their layers need, and answer as all others do.
@Suite(.timeLimit(.minutes(3)))
struct FetchTests {
    private static let request = GenerationRequest(
        id: RequestID("r"), prompt: [1, 40, 41, 42, 43, 44, 45, 46], maxTokens: 16,
        sampling: SamplingParameters(temperature: 1), seed: 5, ignoreEndOfSequence: true, logprobCount: 2)

    private static let modelByteCount = (try? Data(contentsOf: DemoModelFile.url).count) ?? 0

    /// A worker of a test.
    private struct Machine {
        let name: String
        /// Its own copy of the model.
        var modelPath: String?
        var cache: PackedCache?
        var fetches = true
    }

    private static func cache(_ directory: TemporaryDirectory, _ name: String, byteLimit: Int = 1 << 34) -> PackedCache
    {
        let path = directory.url.appendingPathComponent(name).path
        return PackedCache(PackedCache.Settings(directory: path, byteLimit: byteLimit), report: { _ in }) {
            _ throws(HostError) in
            // A large disk, so that the tests do not depend on the machine's.
            DiskSpace(byteCount: 1 << 40, availableByteCount: 1 << 39)
        }
    }

    /// Runs a cluster of these machines, and answers the request; or says why it cannot.
    private func answer(
        _ machines: [Machine], on transport: WeightTransport, host: String? = nil, log: LogRecord = LogRecord()
    ) async throws -> Answer {
        let logger = log.logger()
        let coordinator = try Coordinator(
            configuration: CoordinatorConfiguration(
                modelPath: DemoModelFile.url.path, modelAlias: "test", replicaCount: 1,
                bindHost: host ?? "coordinator", bindPort: 0, minimumWorkerCount: machines.count,
                silenceMilliseconds: 60000, progressMilliseconds: 60000),
            transport: transport, logger: logger)
        let port = try await coordinator.start()
        var tasks = [Task { try await coordinator.run() }]
        for (number, machine) in machines.enumerated() {
            // One after the other, so that each has the same layers every time.
            while try await coordinator.status().workers.count < number {
                try await Task.sleep(for: .milliseconds(5))
            }
            var configuration = WorkerConfiguration(
                coordinatorHost: host ?? "coordinator", coordinatorPort: port, bindHost: host ?? machine.name,
                bindPort: 0, advertisedHost: host ?? machine.name, node: NodeID(machine.name), processID: 1,
                threadCount: 1, processors: nil, memoryByteCount: 1 << 30, bytesPerSecond: 1e9,
                modelPath: machine.modelPath, cache: machine.cache)
            configuration.fetchesWeights = machine.fetches
            let worker = Worker(configuration: configuration, transport: transport, logger: logger)
            tasks.append(Task { try await worker.run() })
        }
        let result = await Task {
            while try await coordinator.status().state != .ready {
                if let failure = await coordinator.startFailure { throw TestCluster.Failure(description: failure) }
                try await Task.sleep(for: .milliseconds(5))
            }
            return try await coordinator.answer(Self.request)
        }.result
        for machine in machines { machine.cache?.finishWriting(withinSeconds: 30) }
        for task in tasks.reversed() { task.cancel() }
        for task in tasks { _ = await task.result }
        return try result.get()
    }

    private func expected(_ workerCount: Int) async throws -> Answer {
        try await TestCluster(modelPath: DemoModelFile.url.path, workerCount: workerCount).run {
            try await $0.answer(Self.request)
        }
    }

    @Test(arguments: [false, true])
    func `workers without the model fetch their layers and give the same answer`(isTCP: Bool) async throws {
        let directory = try TemporaryDirectory()
        let expected = try await expected(2)
        let host = isTCP ? "127.0.0.1" : nil
        func inner() -> any RPCTransport { isTCP ? TCPTransport() : LocalTransport() }

        // One has the model: the other's layers are fetched, and no more.
        let model = DemoModelFile.url.path
        var network = WeightTransport(inner())
        let one = try await answer(
            [
                Machine(name: "a", modelPath: model),
                Machine(name: "b", cache: Self.cache(directory, "b")),
            ], on: network, host: host)
        #expect(one == expected)
        let half = network.byteCount()
        #expect(half > 0 && half < Self.modelByteCount * 3 / 4, "\(half) of \(Self.modelByteCount)")

        // Nobody has it: all of it is fetched, in two parts.
        network = WeightTransport(inner())
        let both = [
            Machine(name: "a", cache: Self.cache(directory, "a")),
            Machine(name: "c", cache: Self.cache(directory, "c")),
        ]
        #expect(try await answer(both, on: network, host: host) == expected)
        #expect(network.byteCount() > half)

        // The next time nothing is fetched.
        network = WeightTransport(inner())
        #expect(try await answer(both, on: network, host: host) == expected)
        #expect(network.byteCount() == 0)

        // Nor when only what was packed is left, but for what describes the model.
        for name in ["a", "c"] {
            try FileManager.default.removeItem(at: directory.url.appendingPathComponent("\(name)/fetched"))
        }
        network = WeightTransport(inner())
        #expect(try await answer(both, on: network, host: host) == expected)
        #expect(network.byteCount() > 0 && network.byteCount() < half, "\(network.byteCount())")
    }

    @Test func `a node that gives wrong bytes is named, and another asked`() async throws {
        let directory = try TemporaryDirectory()
        let log = LogRecord()
        let network = WeightTransport(faults: ["coordinator": .damaged])
        let machines = [
            Machine(name: "b", cache: Self.cache(directory, "b")),
            Machine(name: "a", modelPath: DemoModelFile.url.path),
        ]
        #expect(try await answer(machines, on: network, log: log) == (try await expected(2)))
        #expect(network.byteCount(from: "coordinator") == 0 && network.byteCount(from: "a") > 0)
        #expect(log.contains("wrong bytes") && log.contains("the coordinator at"))
    }

    @Test func `a node that vanishes midway is replaced, and what came is kept`() async throws {
        let directory = try TemporaryDirectory()
        let limit = Self.modelByteCount / 4
        let cut = WeightTransport(faults: ["coordinator": .vanishes(afterByteCount: limit)])
        let alone = [Machine(name: "b", cache: Self.cache(directory, "b"))]
        let log = LogRecord()
        let failure = await #expect(throws: TestCluster.Failure.self) {
            try await answer(alone, on: cut, log: log)
        }
        let text = failure?.description ?? ""
        #expect(text.contains("the node is gone") && text.contains("what came is kept"), "\(text)")
        #expect(cut.byteCount() > 0 && cut.byteCount() <= limit)

        let network = WeightTransport()
        #expect(try await answer(alone, on: network) == (try await expected(1)))
        let all = WeightTransport()
        _ = try await answer([Machine(name: "c", cache: Self.cache(directory, "c"))], on: all)
        // A piece that was on its way comes once more.
        #expect(network.byteCount() < all.byteCount())
        #expect(network.byteCount() + cut.byteCount() >= all.byteCount())
    }

    @Test func `the others give what is missing when one vanishes`() async throws {
        let directory = try TemporaryDirectory()
        let network = WeightTransport(faults: ["coordinator": .vanishes(afterByteCount: Self.modelByteCount / 8)])
        let machines = [
            Machine(name: "b", cache: Self.cache(directory, "b")),
            Machine(name: "a", modelPath: DemoModelFile.url.path),
        ]
        #expect(try await answer(machines, on: network) == (try await expected(2)))
        #expect(network.byteCount(from: "coordinator") > 0 && network.byteCount(from: "a") > 0)
    }

    @Test func `a cache that is too small, none, and --no-fetch are said with their cure`() async throws {
        let directory = try TemporaryDirectory()
        let network = WeightTransport()
        for (machine, cure) in [
            (Machine(name: "a", cache: Self.cache(directory, "a", byteLimit: 10_000)), "--cache-limit"),
            (Machine(name: "a"), "--cache-dir"),
            (Machine(name: "a", cache: Self.cache(directory, "a"), fetches: false), "--no-fetch"),
        ] {
            let failure = await #expect(throws: TestCluster.Failure.self) {
                try await answer([machine], on: network)
            }
            #expect(failure?.description.contains(cure) == true, "\(String(describing: failure))")
        }
        #expect(network.byteCount() == 0)
    }

    @Test func `a file that was named and is another model is an error`() async throws {
        let directory = try TemporaryDirectory()
        var bytes = try Data(contentsOf: DemoModelFile.url)
        bytes[bytes.count - 1] ^= 1
        let path = try directory.write(bytes, to: "other.gguf")
        let network = WeightTransport()
        let failure = await #expect(throws: TestCluster.Failure.self) {
            try await answer([Machine(name: "a", modelPath: path, cache: Self.cache(directory, "a"))], on: network)
        }
        #expect(failure?.description.contains("is not the checkpoint") == true)
        #expect(network.byteCount() == 0)
    }
}
