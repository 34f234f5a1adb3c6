import CoordinatorClient
import CoordinatorNode
import Foundation
import Inference
import Logging
import TestSupport
import Testing
import Transport
import Trust
import WorkerNode

/// A whole cluster over mutual TLS.
@Suite(.timeLimit(.minutes(2)))
struct SecureClusterTests {
    private let logger: Logger = {
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        return logger
    }()

    private func worker(_ node: String, port: Int, _ transport: any RPCTransport) -> Worker {
        Worker(
            configuration: WorkerConfiguration(
                coordinatorHost: "127.0.0.1", coordinatorPort: port, bindHost: "127.0.0.1", bindPort: 0,
                advertisedHost: "127.0.0.1", node: NodeID(node), processID: 1, threadCount: 1, processors: nil,
                memoryByteCount: 1 << 30, bytesPerSecond: 1e9, modelPath: nil),
            transport: transport, logger: logger)
    }

    @Test func `answers over TLS equal those in plain text, and nobody joins under another's name`() async throws {
        let model = DemoModelFile.url.path
        let request = GenerationRequest(
            id: RequestID("r"), prompt: [1, 40, 41, 42, 43, 44, 45, 46], maxTokens: 24,
            sampling: SamplingParameters(temperature: 1), seed: 5, ignoreEndOfSequence: true, logprobCount: 2)
        let expected = try await TestCluster(modelPath: model, workerCount: 2).run { try await $0.answer(request) }

        let folder = try TemporaryDirectory()
        let directory = ClusterDirectory(path: folder.url.appendingPathComponent("cluster").path)
        _ = try directory.makeCluster()
        let authority = try TrustAuthority(directory: directory, logger: logger)
        let coordinator = try Coordinator(
            configuration: CoordinatorConfiguration(
                modelPath: model, modelAlias: "test", bindPort: 0, minimumWorkerCount: 2, silenceMilliseconds: 30000),
            transport: TCPTransport(security: authority.security, logger: logger), logger: logger)
        let port = try await coordinator.start(serving: authority.handlers)
        var tasks = [Task { try await coordinator.run() }, Task { try await authority.run() }]
        var transports: [TCPTransport] = []
        for name in ["w1", "w2"] {
            let credentials = try #require(try directory.credentials(.worker, name: name))
            transports.append(TCPTransport(security: try TransportSecurity(credentials), logger: logger))
        }
        // The first claims the other's name and is sent away for good.
        let impostor = worker("w2", port: port, transports[0])
        await #expect(throws: WorkerError.self) { try await impostor.run() }
        for (name, transport) in zip(["w1", "w2"], transports) {
            let worker = worker(name, port: port, transport)
            tasks.append(Task { try await worker.run() })
        }
        defer { for task in tasks.reversed() { task.cancel() } }
        while try await coordinator.status().state != .ready {
            if let failure = await coordinator.startFailure { throw TestCluster.Failure(description: failure) }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try await coordinator.answer(request) == expected)

        // The same through a gateway's engine, which only a gateway may use.
        let gateway = try #require(try directory.credentials(.gateway, name: "front"))
        let engine = RemoteEngine(
            transport: TCPTransport(security: try TransportSecurity(gateway), logger: logger), host: "127.0.0.1",
            port: port, logger: logger)
        #expect(try await engine.answer(request) == expected)
        await engine.close()
        let presumptuous = RemoteEngine(transport: transports[0], host: "127.0.0.1", port: port, logger: logger)
        await #expect(throws: EngineError.self) { _ = try await presumptuous.answer(request) }
        await presumptuous.close()
        for task in tasks.reversed() { task.cancel() }
        for task in tasks { _ = await task.result }
    }
}
