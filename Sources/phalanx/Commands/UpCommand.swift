import ArgumentParser
import CoordinatorNode
import Foundation
import Inference
import Logging
import ServiceLifecycle
import Terminal

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Runs a whole cluster on this machine: coordinator, gateway and worker processes.",
        discussion: """
            The workers are child processes and end with this one, however it ends. Everything listens on loopback, unless \
            --host says otherwise for the OpenAI API. All workers together are one pipeline, or --replicas pipelines that \
            each hold the whole model. With --cluster-dir the nodes speak mutual TLS, so that further workers need \
            credentials of that cluster.
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var resources: ResourceOptions
    @OptionGroup var caching: CacheOptions

    @Option(name: .shortAndLong, help: "Worker processes to start.")
    var workers = 2

    @Option(help: "The address of the OpenAI API.")
    var host = "127.0.0.1"

    @Option(name: .shortAndLong, help: "The port of the OpenAI API; 0 picks a free one.")
    var port = 8080

    @Option(help: "The port for further workers and gateways; 0 picks a free one.")
    var coordinatorPort = 0

    @Option(help: "Write the address, process ids and layers to this file (JSON) once the model is served.")
    var readyFile: String?

    @OptionGroup var api: APIOptions
    @OptionGroup var binding: BindOptions
    @OptionGroup var logs: LogOptions

    mutating func validate() throws {
        guard workers >= 1 else { throw ValidationError("--workers must be at least 1.") }
        if let replicas = model.replicas, replicas > workers {
            throw ValidationError("--replicas \(replicas) needs as many workers, --workers says \(workers).")
        }
        guard (0...65535).contains(port), (0...65535).contains(coordinatorPort) else {
            throw ValidationError("Ports must be between 0 and 65535.")
        }
        try binding.checkAPI(host, flag: "--host", isEncrypted: api.isEncrypted)
        try model.checkSplit(workerCount: workers)
    }

    func run() async throws {
        try ReadyFile.prepare(readyFile)
        let cluster = try await LocalCluster(
            model: model, workerCount: workers, resources: resources, caching: caching,
            coordinatorPort: coordinatorPort, clusterDirectory: binding.namedDirectory, clientKeys: binding.clientKeys,
            logs: logs)
        do {
            try await serve(cluster)
        } catch {
            await cluster.stop()
            throw error
        }
        await cluster.stop()
    }

    private func serve(_ cluster: LocalCluster) async throws {
        let gateway = try await Serving.gateway(
            engine: cluster.coordinator, host: host, port: port, api: api, logs: logs)
        let (readyFile, logs) = (readyFile, logs)
        let announcement = TaskService {
            try await cluster.waitUntilReady()
            let url = try await gateway.url()
            let status = try await cluster.coordinator.status()
            logs.note(
                "Serving \(status.model.id) at \(url)/v1 over \(workers) worker\(workers == 1 ? "" : "s") (Ctrl-C stops). "
                    + "Further workers join at 127.0.0.1:\(cluster.coordinatorPort).")
            let file = ReadyFile(url: url, coordinator: "127.0.0.1:\(cluster.coordinatorPort)", status: status)
            if let readyFile { try file.write(to: readyFile) }
            try await Serving.untilCancelled()
        }
        try await Serving.run([announcement, gateway.service], api: api, logger: logs.logger("phalanx"))
    }
}
