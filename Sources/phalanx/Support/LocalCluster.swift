import Checkpoint
import CoordinatorClient
import CoordinatorNode
import Foundation
import Host
import Inference
import Logging
import Terminal
import Transport
import Trust

/// A coordinator in this process and workers in child processes, all on loopback.
final class LocalCluster: Sendable {
    let coordinator: Coordinator
    let coordinatorPort: Int
    private let workers: [WorkerProcess]
    private let serving: Task<Void, any Error>
    /// Whether the error output is for programs.
    private let isSilent: Bool

    /// Starts everything; `waitUntilReady` tells when it serves.
    init(
        model: ModelOptions, workerCount: Int, resources: ResourceOptions, caching: CacheOptions,
        coordinatorPort: Int = 0, clusterDirectory: ClusterDirectory? = nil,
        clientKeys: ClientKeyDirectory? = nil, logs: LogOptions
    ) async throws {
        var configuration = try model.coordinatorConfiguration(
            host: "127.0.0.1", port: coordinatorPort, workerCount: workerCount)
        configuration.cacheDirectory = caching.settings?.directory
        configuration.clientKeys = clientKeys
        let authority = try clusterDirectory.map {
            try TrustAuthority(directory: $0, logger: logs.logger("phalanx.trust"))
        }
        let transport = TCPTransport(security: authority?.security, logger: logs.logger("phalanx.transport"))
        let coordinator = try Coordinator(
            configuration: configuration, transport: transport, logger: logs.logger("phalanx.coordinator"))
        let layerCount = await coordinator.layerCount
        try model.checkWorkers(workerCount, layerCount: layerCount)
        let port = try await coordinator.start(serving: authority?.handlers ?? [:])
        self.coordinator = coordinator
        isSilent = logs.isForPrograms
        self.coordinatorPort = port
        serving = Task {
            async let trust: Void? = authority?.run()
            try await coordinator.run()
            _ = try await trust
        }
        workers = try await Self.startWorkers(
            count: workerCount, coordinator: coordinator, port: port, resources: resources,
            otherArguments: caching.arguments + [
                "--cluster-dir", clusterDirectory?.path ?? "none", "--log-format", logs.logFormat.rawValue,
            ],
            logLevel: logs.logLevel.rawValue)
    }

    /// The cores and the memory are divided among the workers, since pinned threads must not meet.
    ///
    /// One starts after the other has joined, so that the first one gets the first layers.
    private static func startWorkers(
        count: Int, coordinator: Coordinator, port: Int, resources: ResourceOptions, otherArguments: [String],
        logLevel: String
    ) async throws -> [WorkerProcess] {
        let machine = Machine.detect()
        let threadCount = resources.threadCount(of: machine)
        let memoryByteCount = resources.memoryByteCount(of: machine)
        let processors = machine.cpus
        var workers: [WorkerProcess] = []
        for index in 0..<count {
            let first = index * threadCount / count
            let end = max((index + 1) * threadCount / count, first + 1)
            let isDivisible = threadCount >= count && threadCount <= processors.count
            let worker = try WorkerProcess(
                WorkerProcess.Settings(
                    name: "worker-\(index)", coordinatorPort: port, threadCount: end - first,
                    processors: isDivisible ? Array(processors[first..<end]) : nil,
                    memoryByteCount: memoryByteCount / count, logLevel: logLevel,
                    otherArguments: otherArguments))
            workers.append(worker)
            while workers.allSatisfy({ $0.ending == nil }), try await coordinator.status().workers.count < workers.count
            {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        return workers
    }

    /// Waits until the cluster serves, with a bar on the error output. Throws when a worker ends or loading fails.
    func waitUntilReady() async throws {
        let bar = ProgressBar(isSilent: isSilent)
        defer { bar.clear() }
        var loading: LoadingBar?
        let clock = ContinuousClock()
        let began = clock.now
        while true {
            for worker in workers {
                if let ending = worker.ending {
                    throw CommandError("\(worker.name) \(ending) before the cluster was ready")
                }
            }
            let status = try await coordinator.status()
            if status.state == .ready { return }
            if let failure = await coordinator.startFailure { throw CommandError(failure) }
            let joined = status.workers.filter { $0.state != .lost }.count
            if status.state == .loading {
                let now = (clock.now - began).seconds
                var current = loading ?? LoadingBar(nowSeconds: now)
                let line = current.line(for: status, nowSeconds: now)
                loading = current
                bar.show(line.label, detail: line.detail, fraction: line.fraction)
            } else {
                bar.show("waiting for workers (\(joined) of \(workers.count) joined)", fraction: 0)
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func stop() async {
        serving.cancel()
        _ = await serving.result
        await withTaskGroup(of: Void.self) { group in
            for worker in workers { group.addTask { await worker.stop() } }
        }
    }
}
